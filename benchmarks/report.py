"""What was measured -> results.md and its plots."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.agreement import Agreement
    from benchmarks.load import Load

#: Okabe and Ito's colours, which people who confuse red and green tell apart.
COLOURS = {"this service": "#0072B2", "old design": "#D55E00"}


@dataclass
class Results:
    """Everything that was measured; what is empty was not."""

    loads: dict[str, list[Load]] = field(default_factory=dict)  # by the server's name, several for each client count
    starts: dict[str, list[float]] = field(default_factory=dict)  # seconds
    memory: dict[str, list[float]] = field(default_factory=dict)  # MB
    stages: dict[str, float] = field(default_factory=dict)  # ms, of a lone client's frame
    costs: dict[str, list[float]] = field(default_factory=dict)  # ms until a lone client's answer, by what it sent
    batches: dict[int, list[Load]] = field(default_factory=dict)  # by the maximum batch size
    engines: dict[str, dict[int, float]] = field(default_factory=dict)
    agreement: Agreement | None = None


def machine() -> str:
    """Name this machine: processor, cores that may be used, memory."""
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{names[0] if names else model}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def write(results: Results, folder: Path) -> Path:
    """Write ``results.md`` and its plots into a folder; gives the file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"# Benchmark\n\nMachine: {machine()}. Medians, with the least and the most in brackets.\n"]
    if results.loads:
        parts.append(_loads(results, folder))
    single = {**{f"ready after start, {name} (s)": v for name, v in results.starts.items()}}
    single |= {f"resident memory under load, {name} (MB)": v for name, v in results.memory.items()}
    single |= {f"a lone client's {name} (ms)": v for name, v in results.costs.items()}
    if single:
        rows = [[name, _spread(values)] for name, values in single.items()]
        parts.append("## One by one\n\n" + _table(["what", "measured"], rows))
    if results.stages:
        plot = _bars(results.stages, folder / "stages.png")
        rows = [[name, f"{value:.2f}"] for name, value in results.stages.items()]
        parts.append(f"## Where a lone frame's time goes\n\n{_table(['stage', 'ms'], rows)}\n![Stages]({plot})\n")
    if results.batches:
        parts.append(_batches(results, folder))
    if results.engines:
        parts.append(_engines(results.engines))
    if results.agreement:
        it = results.agreement
        parts.append(
            "## Does speed change answers?\n\n"
            f"{it.faces} faces in varied frames, this service against a plain float32 reference in PyTorch: the same "
            f"label for {100 * it.same_label:.2f} %, probabilities {it.largest_gap:.4f} apart at most, "
            f"{it.other_count} frames with another number of faces.\n"
        )
    path = folder / "results.md"
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


def _loads(results: Results, folder: Path) -> str:
    rows = []
    clients = sorted({load.clients for loads in results.loads.values() for load in loads})
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, loads in results.loads.items():
        by_count = [[load for load in loads if load.clients == count] for count in clients]
        for count, runs in zip(clients, by_count, strict=True):
            row = [_spread([getattr(run, key) for run in runs]) for key in ("throughput", "p50", "p99")]
            rows.append([name, str(count), *row, str(sum(run.failed for run in runs))])
        colour = COLOURS.get(name)
        left.plot(clients, [_median(runs, "throughput") for runs in by_count], "o-", color=colour, label=name)
        for key, style in (("p50", "o-"), ("p99", "s--")):
            right.plot(clients, [_median(runs, key) for runs in by_count], style, color=colour, label=f"{name}, {key}")
    left.set(xscale="log", xlabel="clients", ylabel="frames a second", title="Throughput", ylim=0)
    right.set(xscale="log", yscale="log", xlabel="clients", ylabel="ms", title="Until the answer")
    for axes in (left, right):
        axes.set_xticks(clients, [str(count) for count in clients])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(folder / "load.png", dpi=110)
    plt.close(figure)
    head = ["server", "clients", "frames/s", "p50 (ms)", "p99 (ms)", "failed"]
    return f"## Under load\n\n{_table(head, rows)}\n![Throughput and latency](load.png)\n"


def _batches(results: Results, folder: Path) -> str:
    sizes = sorted(results.batches)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(sizes, [_median(results.batches[size], "throughput") for size in sizes], "o-", label="frames a second")
    axes.plot(sizes, [_median(results.batches[size], "p50") for size in sizes], "s--", label="p50 (ms)")
    axes.set(xscale="log", xlabel="MAX_BATCH_SIZE", ylim=0)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / "batches.png", dpi=110)
    plt.close(figure)
    rows = [
        [str(size), *(_spread([getattr(run, key) for run in results.batches[size]]) for key in ("throughput", "p50"))]
        for size in sizes
    ]
    clients = results.batches[sizes[0]][0].clients
    head = ["MAX_BATCH_SIZE", "frames/s", "p50 (ms)"]
    return f"## The maximum batch size, at {clients} clients\n\n{_table(head, rows)}\n![Batches](batches.png)\n"


def _engines(engines: dict[str, dict[int, float]]) -> str:
    reference = next(iter(engines))
    batches = list(engines[reference])
    rows = [
        [name, *(f"{times[batch]:.1f} ({engines[reference][batch] / times[batch]:.1f}x)" for batch in batches)]
        for name, times in engines.items()
    ]
    return "## Engines alone, ms a batch\n\n" + _table(["engine", *(f"batch {batch}" for batch in batches)], rows)


def _bars(values: dict[str, float], path: Path) -> str:
    figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
    axes.barh(list(values), list(values.values()), color=COLOURS["this service"])
    axes.invert_yaxis()
    axes.set(xlabel="ms")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path.name


def _median(runs: Sequence[Load], key: str) -> float:
    return float(statistics.median(getattr(run, key) for run in runs))


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} [{min(values):.1f}-{max(values):.1f}]"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
