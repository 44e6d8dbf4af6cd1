"""How the object is cut out of a picture: the settings of all methods."""

from dataclasses import dataclass
from typing import Literal, get_args

from zero123pp.errors import ConfigError

Method = Literal["auto", "alpha", "rembg", "bundled"]
"""'auto', and the keys of `zero123pp.pipelines.cutout.CUTOUTS`."""


@dataclass(frozen=True)
class CutoutConfig:
    """How the object is cut out of the picture."""

    method: Method = "auto"
    """auto: the picture's own transparency, else rembg when it and its model are here, else the bundled network."""
    rembg_model: str = "u2net"
    """rembg model; always named, because rembg's own default has a licence that forbids commercial use."""
    download: bool = False
    """Let rembg download its model (u2net: 176 MB). ZERO123PP_DOWNLOAD=1 agrees as well."""
    ratio: float = 0.85
    """Longer side of the object over the side of the square. 0.85 as most systems of the field do; the demo of
    Zero123++ takes 0.75, its normal generator 0.95."""
    size_px: int = 768
    """Side of the cutout, px. Zero123++ reads 512 px; the texture's front uses what is above that."""
    work_px: int = 2048
    """Larger pictures are scaled down to this longer side first, px; bounds time and memory."""
    min_foreground: float = 0.0005
    """Smallest share of the picture that counts as an object; below it the picture is refused."""

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ConfigError(f"cutout.method is {self.method!r}; choose one of {', '.join(get_args(Method))}")
        if not 0.1 <= self.ratio <= 1.0:
            raise ConfigError(f"cutout.ratio is {self.ratio}; expected 0.1 to 1.0")
        if not 16 <= self.size_px <= 8192:
            raise ConfigError(f"cutout.size_px is {self.size_px}; expected 16 to 8192 px")
        if not 64 <= self.work_px <= 16384:
            raise ConfigError(f"cutout.work_px is {self.work_px}; expected 64 to 16384 px")
        if not 0 <= self.min_foreground < 1:
            raise ConfigError(f"cutout.min_foreground is {self.min_foreground}; expected 0 to 1")
