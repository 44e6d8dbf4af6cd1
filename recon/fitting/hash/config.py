"""The settings of the hash-grid field; apart from the code, which needs torch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.errors import ConfigError


@dataclass(frozen=True)
class HashConfig:
    """How a hash-grid field is fitted (``fit.field=hash``). Lengths in voxels are those of ``resolution``."""

    start: Literal["grid", "hull", "sphere"] = "grid"
    """What the field corrects: the fitted dense grid, the visual hull, or a sphere (as published NeuS begins)."""
    resolution: int = 128
    """Nodes along an axis of the grid that the field is handed on as."""
    steps: int = 300
    """Optimiser steps."""
    rays: int = 4096
    """Rays a step."""
    levels: int = 12
    """Levels of the encoding."""
    features: int = 2
    """Features a level."""
    log2_entries: int = 15
    """Logarithm of the most entries of a level."""
    base: int = 16
    """Nodes along an axis of the coarsest level."""
    finest: int = 256
    """Nodes along an axis of the finest level."""
    first_levels: int = 6
    """Levels that are there from the start; the others join one by one over the first half of the steps."""
    hidden: int = 64
    """Width of the perceptrons."""
    sample_step: float = 1.0
    """Distance of samples along rays, voxels."""
    sharpness: float = 5.0
    """Sharpness of the surface at the start, 1/voxel; it is learned."""
    lr: float = 1e-2
    """Learning rate of tables and perceptrons; a tenth of it at the end."""
    lr_sharpness: float = 2e-3
    """Learning rate of the logarithm of the sharpness."""
    weight_eikonal: float = 0.01
    """Weight of (|slope| - 1)^2 near the surface."""
    weight_smooth: float = 0.01
    """Weight of the squared difference of slopes half a voxel apart, near the surface."""
    refresh: int = 25
    """Steps between two looks at where the surface is."""
    device: str = "auto"
    """Where to fit: auto (cuda if there is one), cpu, cuda or cuda:N."""
    encoding: str = "auto"
    """Back-end of the encoding: auto, tinycudann, triton, numba or reference."""
    rays_backend: str = "auto"
    """Back-end of marching and compositing: auto, nerfacc, packed or reference."""

    def __post_init__(self) -> None:
        for name in ("resolution", "steps", "rays", "hidden", "refresh", "first_levels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not 16 <= self.resolution <= 512:
            raise ConfigError(f"resolution is {self.resolution}; expected 16 to 512")
        if not self.base < self.finest:
            raise ConfigError(f"base is {self.base} and finest {self.finest}; expected fewer nodes at the base")
        for name in ("sample_step", "sharpness", "lr", "lr_sharpness"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number above 0")
        for name in ("weight_eikonal", "weight_smooth"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number of at least 0")
