"""How an asset lies in its file, and how its texture is kept. Imports nothing heavy."""

import math
from dataclasses import dataclass

from zero123pp.errors import BadInput

ORIGINS = ("center", "base")
"""Middle of the bounding box; middle of its bottom, the point that stands on a floor."""
AXES = ("y-up", "z-up")
"""Y up and front to +Z, as glTF has it; Z up and front to -Y, as Blender and slicers have it."""
UNITS = ("m", "mm")
COLLISIONS = ("hull", "convex")
"""One convex shape around the object; several that follow it."""
MATERIALS = {"matte": (0.0, 1.0), "plastic": (0.0, 0.45), "metal": (1.0, 0.35)}
"""Name -> metalness and roughness, as of glTF. Baked colours are those of a matt surface."""
TEXTURE_FORMATS = ("jpeg", "png", "webp")
COMPRESSIONS = ("meshopt", "draco")
PRINTS = (".3mf", ".stl", ".ply", ".obj")
"""Formats that slicers read; a .stl has no colours."""
WALL_MM = 1.2
"""Three lines of a usual nozzle of 0.4 mm."""


@dataclass(frozen=True)
class FileOptions:
    """Choices for `zero123pp.recon.export.save`; None is what readers of the format expect (`FRAMES`)."""

    origin: str | None = None
    """One of `ORIGINS`; None leaves it where the asset has it."""
    size: float | None = None
    """Length of the longest side, metres; None leaves the asset's."""
    axes: str | None = None
    """One of `AXES`."""
    units: str | None = None
    """One of `UNITS`: what a length of 1 in the file means."""
    texture_format: str | None = None
    """One of `TEXTURE_FORMATS`; None is JPEG in a .glb and a .gltf, PNG beside an .obj."""
    material: str = "matte"
    """One of `MATERIALS`, where the format has such: in a .glb, a .gltf and a .usdz."""
    quads: bool = False
    """Join triangles to quads where the format has them: in an .obj."""
    occlusion: bool = False
    """Bake ambient occlusion into a picture beside the texture, in a .glb or a .gltf."""
    compress: str | None = None
    """One of `COMPRESSIONS`, of vertices and triangles in a .glb or a .gltf; None packs nothing, for all readers."""
    wall: float | None = None
    """Least thickness of its walls, metres: what is written is a solid for a printer, on a flat base; None writes it as
    it is. In `PRINTS`."""
    name: str = "object"
    """Of node, mesh, material and picture."""

    def __post_init__(self) -> None:
        for what, value, known in (
            ("origin", self.origin, ORIGINS),
            ("axes", self.axes, AXES),
            ("units", self.units, UNITS),
            ("texture format", self.texture_format, TEXTURE_FORMATS),
            ("compression", self.compress, COMPRESSIONS),
            ("material", self.material, tuple(MATERIALS)),
        ):
            if value is not None and value not in known:
                raise BadInput(f"{what} is {value!r}; expected {' or '.join(known)}")
        if self.size is not None and not (self.size > 0 and math.isfinite(self.size)):
            raise BadInput(f"size is {self.size} metres; expected a positive length")
        if self.wall is not None and not (self.wall > 0 and math.isfinite(self.wall)):
            raise BadInput(f"wall is {self.wall} metres; expected a positive thickness")
