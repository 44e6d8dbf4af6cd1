"""The settings of the fit."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.errors import ConfigError
from zero123pp.recon.fitting.hash.config import HashConfig


@dataclass(frozen=True)
class FitConfig:
    """How views become a field."""

    field: Literal["grid", "hash"] = "grid"
    """What is fitted: a dense grid, or a hash-grid field (finer detail; needs torch, meant for a GPU)."""
    hash: HashConfig = dataclasses.field(default_factory=HashConfig)
    """The hash-grid field's own settings."""
    levels: tuple[int, ...] = (30, 60)
    """Nodes along an axis of the grid, coarse to fine."""
    refinement: float = 1.0
    """Most that levels are refined, as a factor, for objects with little surface: for slender ones the same work buys
    smaller voxels."""
    steps: int = 160
    """Optimiser steps over all levels together."""
    rays: int = 4000
    """Rays of a step at 64 nodes; their number grows with the square of the nodes along an axis."""
    weight_rgb: float = 3.0
    """Weight of the colour residuals (sRGB, squared while small)."""
    rgb_scale: float = 0.3
    """Residual (sRGB) beyond which colour counts linearly: views of generated sheets disagree here and there."""
    rgb_contrast: float = 0.25
    """Contrast of an object (standard deviation of its sRGB) below which its colours count more, as much as it falls
    short of this: on a plain object shading is all that tells shapes apart. 0: colours always count alike."""
    weight_mask: float = 0.4
    """Weight of the squared difference between opacity and alpha."""
    weight_normal: float = 0.35
    """Weight of the squared difference between surface normals and those of the views, where views have normals."""
    weight_smoothed: float = 0.1
    """The same for the fit's own normals, smoothed within what the pictures do not contradict, where no view has
    normals; 0: none."""
    weight_corrected: float = 0.5
    """The same for normals that a network reads from the pictures and the surface as it is, in all levels but the
    first; they take the place of the smoothed ones there. 0: none."""
    flattens: bool = False
    """Whether flats are moved, three times in all levels but the first, to where their rims and smoothed normals say
    that they are; ``weight_smoothed`` or ``weight_corrected`` above 0 is needed."""
    weight_laplacian: float = 0.005
    """Weight of smoothness: squared Laplacian of the distances in voxels, per node near the surface."""
    weight_eikonal: float = 0.002
    """Weight of distances staying distances: squared deviation of their slope from 1, per node near the surface."""
    vessel_wall: float = 1.0
    """Wall of the vessel, open above, that the first level tries as a start beside the hull, in its voxels; 0: none."""
    hull_tolerance_px: float = 3.0
    """How far the surface may leave the visual hull, px of a 320 px picture."""
    hull_outlier_views: int = 0
    """How many views may see a point outside their silhouette while it stays part of the hull."""
    lr_sdf: float = 0.25
    """Learning rate of distances at the first level, voxels; each further level takes 0.7 of it."""
    lr_color: float = 0.01
    """Learning rate of colours, sRGB."""
    sample_step: float = 0.7
    """Distance of samples near the surface, voxels."""
    sharpness: tuple[float, ...] = (4.0, 18.0)
    """Sharpness of the surface, 1/voxel, at the begin and end of every level."""
    radius: float = 0.0
    """Of the sphere round the origin that holds the object, world units; 0: as much as the pictures show (see
    `frame.shown_radius`), since the size of the object is not promised by every rig."""

    def __post_init__(self) -> None:
        if not self.levels or any(n < 8 or n > 512 for n in self.levels) or list(self.levels) != sorted(self.levels):
            raise ConfigError(f"levels is {self.levels}; expected rising numbers from 8 to 512")
        for name in ("steps", "rays", "rgb_scale", "lr_sdf", "lr_color", "sample_step"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a number above 0")
        for name in ("rgb", "mask", "normal", "smoothed", "corrected", "laplacian", "eikonal"):
            if not 0 <= getattr(self, f"weight_{name}") < np.inf:
                raise ConfigError(
                    f"weight_{name} is {getattr(self, f'weight_{name}')}; expected a number of at least 0"
                )
        if not 0 <= self.rgb_contrast <= 1:
            raise ConfigError(f"rgb_contrast is {self.rgb_contrast}; expected a number from 0 to 1")
        if not 0 <= self.vessel_wall < np.inf:
            raise ConfigError(f"vessel_wall is {self.vessel_wall}; expected a number of voxels of at least 0")
        if not 0 <= self.hull_tolerance_px < np.inf:
            raise ConfigError(f"hull_tolerance_px is {self.hull_tolerance_px}; expected a number of at least 0")
        if not 0 <= self.radius < np.inf:
            raise ConfigError(f"radius is {self.radius}; expected a length above 0, or 0 for what the pictures show")
        if self.hull_outlier_views < 0:
            raise ConfigError(f"hull_outlier_views is {self.hull_outlier_views}; expected a number of at least 0")
        if len(self.sharpness) != 2 or not all(0.1 <= s <= 20 for s in self.sharpness):
            raise ConfigError(f"sharpness is {self.sharpness}; expected two numbers from 0.1 to 20")
