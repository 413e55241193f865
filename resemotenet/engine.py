"""Engines: gray crops -> logits, behind one call."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from resemotenet.checkpoint import Checkpoint

EngineKind = Literal["auto", "openvino", "torch"]
Precision = Literal["auto", "f32", "bf16"]


class EngineError(RuntimeError):
    """An engine that was asked for cannot run here: what is missing, and what to do."""


class Engine(ABC):
    """A network that is ready to run. One call at a time: the batcher in front of it sees to that.

    Attributes:
        name: what runs where and in which precision, for people: ``openvino cpu bf16``.
        input_size: side S in pixels of the crops.
    """

    name: str
    input_size: int

    @abstractmethod
    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on (N, S, S) uint8 gray crops; gives (N, classes) float32 logits."""

    def warm_up(self, batches: Iterable[int]) -> None:
        """Run each of these sizes of batch once: the first run takes up to ten times longer than the next."""
        for batch in batches:
            self.logits(np.zeros((batch, self.input_size, self.input_size), np.uint8))

    def probabilities(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on (N, S, S) uint8 gray crops; gives (N, classes) float32 probabilities, each row's sum 1."""
        logits = self.logits(crops)
        exp: NDArray[np.float32] = np.exp(logits - logits.max(axis=1, keepdims=True))
        exp /= exp.sum(axis=1, keepdims=True)
        return exp


class OpenVINOEngine(Engine):
    """The rewritten graph, compiled by OpenVINO for this machine's CPU.

    Args:
        checkpoint: weights and config.
        threads: how many threads one call may use; None: as many as OpenVINO finds cores.
        precision: ``auto`` is bf16 where the CPU computes in it, else f32. A spatial transformer always gets f32: in
            bf16 its coordinates are up to an eighth of a pixel off, and probabilities with them by 0.2 and more.
    """

    def __init__(self, checkpoint: Checkpoint, threads: int | None = None, precision: Precision = "auto") -> None:
        import openvino  # noqa: PLC0415  (takes 0.3 s; only the process that serves needs it)

        from resemotenet import graph, offload  # noqa: PLC0415  (import openvino)

        core = openvino.Core()
        if precision == "auto":
            capable = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if capable and not checkpoint.config.transformer else "f32"
        properties = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_PRECISION_HINT": precision}
        if threads is not None:
            properties["INFERENCE_NUM_THREADS"] = str(threads)
        model = graph.build(checkpoint)
        self._weights = offload.Offloaded(model)
        self._request = core.compile_model(model, "CPU", properties).create_infer_request()
        self.name, self.input_size = f"openvino cpu {precision}", checkpoint.config.input_size
        self._classes = checkpoint.config.num_classes

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on (N, S, S) uint8 gray crops; gives (N, classes) float32 logits."""
        if len(crops) == 0:  # OpenVINO fails on an empty batch, and on every one after it
            return np.empty((0, self._classes), np.float32)
        self._request.infer([crops], share_inputs=True)
        return np.array(self._request.get_output_tensor(0).data)  # a copy: the tensor is the next call's too

    def warm_up(self, batches: Iterable[int]) -> None:
        """Run each of these sizes of batch once, and then keep the weights as they were packed for them only."""
        super().warm_up(batches)
        self._weights.release()


class TorchEngine(Engine):
    """The reference network in PyTorch, on CUDA where there is a device.

    Args:
        checkpoint: weights and config.
        precision: ``auto`` is bf16 on CUDA, and f32 on a CPU or for a spatial transformer.
    """

    def __init__(self, checkpoint: Checkpoint, precision: Precision = "auto") -> None:
        import torch  # noqa: PLC0415  (an extra)

        from resemotenet import model  # noqa: PLC0415  (imports torch)

        config, self._torch = checkpoint.config, torch
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if precision == "auto":
            precision = "bf16" if self._device.type == "cuda" and not config.transformer else "f32"
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        network = model.from_checkpoint(checkpoint).to(self._device, self._dtype)
        self._network = network.to(memory_format=torch.channels_last)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(config.mean, device=self._device).view(shape)
        self._std = torch.tensor(config.std, device=self._device).view(shape)
        self.name, self.input_size = f"torch {self._device.type} {precision}", config.input_size

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on (N, S, S) uint8 gray crops; gives (N, classes) float32 logits."""
        with self._torch.inference_mode():
            gray = self._torch.from_numpy(np.array(crops, order="C")).to(self._device)[:, None].float() / 255
            x = ((gray - self._mean) / self._std).to(self._dtype)
            result: NDArray[np.float32] = self._network(x).float().cpu().numpy()
            return result


def create_engine(
    checkpoint: Checkpoint, kind: EngineKind = "auto", threads: int | None = None, precision: Precision = "auto"
) -> Engine:
    """Make the engine that this machine is for: PyTorch where it is installed and sees a CUDA device, else OpenVINO.

    Raises:
        EngineError: ``kind`` is ``torch``, and PyTorch is not installed.
    """
    if kind == "torch" and importlib.util.find_spec("torch") is None:
        raise EngineError(
            "ENGINE is torch, and PyTorch is not installed; expected: pip install 'emotion-service[torch]'"
        )
    if kind == "torch" or (kind == "auto" and _torch_sees_cuda()):
        return TorchEngine(checkpoint, precision)
    return OpenVINOEngine(checkpoint, threads, precision)


def _torch_sees_cuda() -> bool:
    """Say whether PyTorch would run on a GPU, without importing it where the driver knows of none: it takes seconds."""
    if importlib.util.find_spec("torch") is None:
        return False
    import pynvml  # noqa: PLC0415  (comes with bentoml; asks the driver)

    try:
        pynvml.nvmlInit()
        devices: int = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return False
    if devices == 0:
        return False
    import torch  # noqa: PLC0415  (an extra)

    return bool(torch.cuda.is_available())  # a build for CPUs sees no device, nor does one with an older driver
