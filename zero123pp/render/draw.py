"""What is drawn by chance for a pass over an object: its queries and its light."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.errors import ConfigError
from zero123pp.render.cameras import QUERIES, STEP_DEG, Query, draw_query


@dataclass(frozen=True)
class ViewsConfig:
    """How training samples are rendered."""

    rig: Literal["v1.2", "v1.1"] = "v1.2"
    """Cameras of the six target views."""
    tile_px: int = 320
    """Side of a target view, px; what Zero123++ draws."""
    query_px: int = 512
    """Side of the query, px; what Zero123++ gives to its VAE."""
    supersample: int = 2
    """Samples a pixel and side; they share one pattern of rays."""
    light_samples: int = 8
    """Rays of light a sample, at least 2; four times as many halve the remaining unevenness."""
    elevation_deg: tuple[float, ...] = (-20.0, 45.0)
    """Lowest and highest elevation of a query (zero123plus issue 114)."""
    fov_deg: tuple[float, ...] = (20.0, 50.0)
    """Narrowest and widest field of view of a query; a telephoto lens to a wide one of a telephone."""
    fill: tuple[float, ...] = (0.75, 0.95)
    """Longer side of the object over the side of the query; the pipeline's own cutouts lie in between."""
    glossy: float = 0.5
    """Share of the passes whose object has a dielectric coat; the others are matt."""
    roughness: tuple[float, ...] = (0.35, 0.9)
    """Of the coat; smoother ones would mirror the surroundings, which so few rays cannot show."""
    balanced: float = 0.5
    """Share of the passes whose light has its mean colour taken out, as cameras do."""
    brightness: tuple[float, ...] = (0.75, 1.1)
    """Of a white surface at the 95th percentile of the light on the object, 1 being the picture's white."""
    mirrored: bool = True
    """Also keep the mirror image of each sample; it costs no rendering."""
    passes: int = 1
    """Passes over each object, each under another light, from other directions; 12 queries a pass."""
    depth: bool = True
    """Keep the depths of the target views."""
    normals: bool = True
    """Keep the normals of the target views."""

    def __post_init__(self) -> None:
        positive = ("tile_px", "query_px", "supersample", "passes")
        for name in positive:
            if not 1 <= getattr(self, name) <= 4096:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected 1 to 4096")
        if not 2 <= self.light_samples <= 4096:
            raise ConfigError(f"light_samples is {self.light_samples}; expected 2 to 4096")
        limits = {"elevation_deg": (-89, 89), "fov_deg": (1, 120), "fill": (0.05, 1), "roughness": (0.1, 1)}
        for name, (least, most) in (limits | {"brightness": (0.01, 100)}).items():
            values = getattr(self, name)
            if len(values) != 2 or not least <= values[0] <= values[1] <= most:
                raise ConfigError(f"{name} is {list(values)}; expected [low, high] within {least} to {most}")
        for name in ("glossy", "balanced"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a share, 0 to 1")


@dataclass(frozen=True)
class PassDraw:
    """The draws of one pass."""

    first_deg: float
    """Azimuth of the first query and of the first view of the ring, in the object's frame."""
    queries: tuple[Query, ...]
    environment: str
    """Name of the environment map."""
    turn_deg: float
    """By which it is turned about the vertical."""
    balanced: bool
    """Whether its mean colour is taken out."""
    roughness: float
    """Of the object's coat, 0 for none."""
    brightness: float
    """See `ViewsConfig.brightness`."""
    seed: int
    """Of the rays."""


def draw_pass(config: ViewsConfig, environments: Sequence[str], rng: np.random.Generator) -> PassDraw:
    """The draws of a pass; ``environments`` are the names to choose from."""
    first = float(rng.uniform(0, 360))
    queries = tuple(
        draw_query(first + STEP_DEG * k, config.elevation_deg, config.fov_deg, config.fill, rng) for k in range(QUERIES)
    )
    return PassDraw(
        first_deg=first,
        queries=queries,
        environment=environments[rng.integers(len(environments))],
        turn_deg=float(rng.uniform(0, 360)),
        balanced=bool(rng.random() < config.balanced),
        roughness=float(rng.uniform(*config.roughness)) if rng.random() < config.glossy else 0.0,
        brightness=float(rng.uniform(*config.brightness)),
        seed=int(rng.integers(2**31)),
    )
