"""A closed-loop load: so many clients, each of which sends its next frame when the last one is answered."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    """What one run of a load gave: frames a second, and milliseconds until an answer."""

    clients: int
    throughput: float
    p50: float
    p99: float
    failed: int
    core_ms: float  # of the load generator itself, a frame


def run(url: str, bodies: Sequence[bytes], clients: int, seconds: float, warm_up: float = WARM_UP_SECONDS) -> Load:
    """Load ``url``/predict with JSON bodies from ``clients`` clients for so long, after a warm-up that does not count.

    Raises:
        RuntimeError: not one frame was answered.
    """
    return asyncio.run(_run(url, bodies, clients, seconds, warm_up))


async def _run(url: str, bodies: Sequence[bytes], clients: int, seconds: float, warm_up: float) -> Load:
    latencies: list[float] = []
    failed = 0
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:

        async def client(first: int, until: float) -> None:
            nonlocal failed
            for number in itertools.count(first):
                started = time.perf_counter()
                if started >= until:
                    return
                async with session.post(f"{url}/predict", data=bodies[number % len(bodies)]) as answer:
                    await answer.read()
                    if answer.status == 200:
                        latencies.append(time.perf_counter() - started)
                    else:
                        failed += 1

        async def load(duration: float) -> None:
            until = time.perf_counter() + duration
            await asyncio.gather(*(client(number, until) for number in range(clients)))

        await load(warm_up)
        latencies.clear()
        failed = 0
        started, cpu = time.perf_counter(), time.process_time()
        await load(seconds)
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
    if not latencies:
        raise RuntimeError(f"{url} answered none of {failed} frames with 200")
    p50, p99 = 1e3 * np.percentile(latencies, [50, 99])
    return Load(clients, len(latencies) / took, float(p50), float(p99), failed, 1e3 * cpu / len(latencies))
