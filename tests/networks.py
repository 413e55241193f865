"""Random ResEmoteNets whose logits really depend on the picture, and pictures to show them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import torch

from resemotenet import taps
from resemotenet.checkpoint import Checkpoint
from resemotenet.config import SERVICE_LABELS, ModelConfig
from resemotenet.model import ResEmoteNet

torch.set_num_threads(1)  # more of them wait for each other, by spinning, wherever cores are shared

#: How far logits spread over pictures, at least: for less, an engine that ignores its input could pass.
SPREAD = 0.5
#: The spread that random networks are given.
TARGET_SPREAD = 1.25


def config(width=0.25, classes=7, **fields):
    labels = SERVICE_LABELS if classes == 7 else tuple(f"label {i}" for i in range(classes))
    return ModelConfig(labels=labels, width=width, **fields)


def pictures(count, size, seed=0, blurs=(0, 2, 5, 9)):
    """(N, S, S) uint8: noise blurred this much (in pixels), of random brightness and contrast; never two alike."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, size, size), np.uint8)
    for i in range(count):
        noise = rng.uniform(0, 255, (size, size)).astype(np.float32)
        if blur := blurs[i % len(blurs)]:
            noise = cv2.GaussianBlur(noise, (0, 0), blur)
            noise = (noise - noise.min()) / (noise.max() - noise.min()) * rng.uniform(80, 255)
        found[i] = np.clip(noise + rng.uniform(-60, 60), 0, 255)
    return found


def smooth(count, size, seed=0):
    """Pictures as smooth as a camera's."""
    return pictures(count, size, seed, blurs=(2, 3, 5, 9))


def normalised(crops, config):
    """What model.py takes: (N, S, S) uint8 to (N, 3, S, S) float32, computed in float64 by the definition."""
    scaled = crops[:, None].astype(np.float64) / 255
    mean, std = (np.array(values).reshape(1, 3, 1, 1) for values in (config.mean, config.std))
    return torch.tensor((scaled - mean) / std, dtype=torch.float32)


def reference(model, crops):
    """The logits of model.py, as numpy."""
    with torch.inference_mode():
        parts = [model(normalised(part, model.config)) for part in np.split(crops, range(16, len(crops), 16))]
        return torch.cat(parts).numpy()


@cache
def network(width=0.25, classes=7, seed=0, **fields):
    """A random network in evaluation mode: every statistic, bias and gain random, logits spread over pictures.

    One for each config and seed, shared by all tests: look, do not touch.
    """
    return randomised(config(width, classes, **fields), seed)


def randomised(config, seed=0):
    rng = torch.Generator().manual_seed(seed)

    def uniform(shape, low, high):
        return torch.rand(shape, generator=rng) * (high - low) + low

    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ResEmoteNet(config, dropout=(0.0, 0.0))
        x = normalised(pictures(16, config.input_size, seed + 1), config)
        norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.weight.copy_(uniform(norm.weight.shape, 0.5, 1.5) * torch.sign(uniform(norm.weight.shape, -0.2, 1)))
            norm.bias.copy_(uniform(norm.bias.shape, -0.5, 0.5))
            norm.momentum = None  # the statistics become those of the pictures
        for name in ("se.fc.0", "se.fc.2"):
            model.get_submodule(name).weight.mul_(3)  # gates that open and close
        if config.transformer:
            last = model.get_submodule("fc_loc.2")
            last.weight.copy_(torch.randn(last.weight.shape, generator=rng))
            theta = model.fc_loc(model.localization(x).flatten(1))
            last.weight.mul_(0.08 / theta.std(dim=0).mean())
            theta = model.fc_loc(model.localization(x).flatten(1))
            last.bias.add_(last.bias.new_tensor([1, 0, 0, 0, 1, 0]) - theta.mean(dim=0) + uniform((6,), -0.2, 0.2))
        model.train()(x)
        for norm in norms:
            norm.running_mean.add_(norm.running_var.sqrt() * uniform(norm.bias.shape, -0.5, 0.5))
            norm.running_var.mul_(uniform(norm.bias.shape, 0.5, 2))
        model.eval()
        for name in ("fc1", "fc2", "fc3", "fc4"):
            layer, outputs = model.get_submodule(name), []
            handle = layer.register_forward_hook(lambda *call, outputs=outputs: outputs.append(call[2]))
            model(x)
            handle.remove()
            layer.weight.mul_(TARGET_SPREAD / outputs[0].std(dim=0).mean())
            layer.bias.copy_(uniform(layer.bias.shape, -1, 1))
    return model


def state(model):
    """The weights of a network as numpy, kernels not cut, sharing its memory."""
    return {k: v.numpy() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


@cache
def checkpoint(model):
    return Checkpoint(model.config, taps.drop(state(model), model.config))


def spread(logits):
    """How far logits vary from picture to picture: their deviation, meaned over the classes."""
    return float(np.std(np.asarray(logits), axis=0).mean())
