"""How the object is cut out of a picture: the settings of all methods."""

import os
from dataclasses import dataclass, replace

from zero123pp.errors import ConfigError

METHODS = ("auto", "alpha", "rembg", "bundled", "sam")
"""'auto', and the keys of `zero123pp.pipelines.cutout.CUTOUTS`."""


@dataclass(frozen=True)
class CutoutConfig:
    """How the object is cut out of the picture."""

    method: str = "auto"
    """auto: the picture's own transparency, else rembg when it and its model are here, else the bundled network; alpha,
    rembg, bundled; or sam, sam:FOLDER, sam:HUB_ID: Segment Anything, prompted by ``box`` and ``point``."""
    rembg_model: str = "u2net"
    """rembg model; always named, because rembg's own default has a licence that forbids commercial use."""
    sam_model: str = "facebook/sam-vit-base"
    """SAM checkpoint for method sam: a folder or hub id (Apache-2.0, 375 MB); sam:NAME names it too."""
    point: tuple[float, ...] = ()
    """x, y in px of the picture, on the object, for sam."""
    box: tuple[float, ...] = ()
    """left, top, right, bottom in px of the picture, round the object, for sam; empty: nearly all of the picture."""
    download: bool = False
    """Let rembg (u2net: 176 MB) or sam download its model. ZERO123PP_DOWNLOAD=1 agrees as well."""
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
        name, _, model = self.method.partition(":")
        if name not in METHODS or (":" in self.method and not (name == "sam" and model)):
            raise ConfigError(f"cutout.method is {self.method!r}; choose one of {', '.join(METHODS)} or sam:FOLDER")
        if model:
            object.__setattr__(self, "method", name)
            object.__setattr__(self, "sam_model", model)
        for what, count in (("point", 2), ("box", 4)):
            given = getattr(self, what)
            if given and len(given) != count:
                raise ConfigError(f"cutout.{what} is {list(given)}; expected {count} numbers, px")
            if given and name != "sam":
                raise ConfigError(f"cutout.{what} is {list(given)}, which only cutout.method=sam looks at; add that")
        if not 0.1 <= self.ratio <= 1.0:
            raise ConfigError(f"cutout.ratio is {self.ratio}; expected 0.1 to 1.0")
        if not 16 <= self.size_px <= 8192:
            raise ConfigError(f"cutout.size_px is {self.size_px}; expected 16 to 8192 px")
        if not 64 <= self.work_px <= 16384:
            raise ConfigError(f"cutout.work_px is {self.work_px}; expected 64 to 16384 px")
        if not 0 <= self.min_foreground < 1:
            raise ConfigError(f"cutout.min_foreground is {self.min_foreground}; expected 0 to 1")

    @property
    def may_download(self) -> bool:
        """Whether the user agreed to downloads, here or by ZERO123PP_DOWNLOAD=1."""
        return self.download or os.environ.get("ZERO123PP_DOWNLOAD") == "1"

    def scaled(self, factor: float) -> "CutoutConfig":
        """The same for a picture that was resized by ``factor``."""
        return replace(self, point=tuple(factor * x for x in self.point), box=tuple(factor * x for x in self.box))
