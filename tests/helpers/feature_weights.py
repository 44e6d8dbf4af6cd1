"""Random weights of networks whose features are compared, and random pictures."""

import numpy as np


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator) * (2 / max(1, int(np.prod(shape[1:])))) ** 0.5
        for name, shape in shapes.items()
    }


ALEX = {
    "features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5), "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3), "features.10": (256, 256, 3, 3),
}  # fmt: skip


def alexnet(seed: int = 0) -> dict:
    shapes = {f"{name}.weight": shape for name, shape in ALEX.items()}
    return random_weights(shapes | {f"{name}.bias": shape[:1] for name, shape in ALEX.items()}, seed)


def picture(seed: int = 0, size=(96, 64)) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3))
