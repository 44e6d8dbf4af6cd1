"""From the world frame of an asset (glTF's: Y up, front to +Z, metres) to that of a file."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.recon.export.options import FileOptions
from zero123pp.types import Mesh, Part, TexturedMesh


class Frame(NamedTuple):
    """What readers of a format take for granted."""

    axes: str
    units: str
    is_fixed: bool = False
    """Whether the format's standard says so, and no reader asks."""


FRAMES = {
    ".glb": Frame("y-up", "m", is_fixed=True),
    ".gltf": Frame("y-up", "m", is_fixed=True),
    ".obj": Frame("y-up", "m"),
    ".ply": Frame("z-up", "m"),
    ".stl": Frame("z-up", "mm"),
    ".3mf": Frame("z-up", "mm", is_fixed=True),
    ".usdz": Frame("y-up", "m", is_fixed=True),
}
"""By suffix. Importers of OBJ turn it from Y up, those of PLY and STL take coordinates as they are."""


def placed(asset: Part, options: FileOptions, suffix: str) -> Part:
    """The asset with its origin, size, axes and units as they are asked for, or as the format has them.

    Raises BadInput for axes or units that the format's standard forbids.
    """
    frame = check_frame(options, suffix)
    mesh = asset.mesh if isinstance(asset, TexturedMesh) else asset
    low, high = mesh.vertices.min(0).astype(float), mesh.vertices.max(0).astype(float)
    origin = np.zeros(3) if options.origin is None else (low + high) / 2
    if options.origin == "base":
        origin[1] = low[1]
    factor = 1.0 if options.size is None else options.size / float((high - low).max())
    factor *= 1000.0 if (options.units or frame.units) == "mm" else 1.0
    is_turned = (options.axes or frame.axes) == "z-up"
    if factor == 1 and options.origin is None and not is_turned:
        return asset
    turn = _z_up if is_turned else np.asarray
    vertices = turn((mesh.vertices - origin) * factor)
    if not isinstance(asset, TexturedMesh):
        return Mesh(vertices, mesh.faces, mesh.colors)
    normals = None if asset.normals is None else turn(asset.normals)
    tangents = asset.tangents
    if tangents is not None:
        tangents = np.concatenate([turn(tangents[:, :3]), tangents[:, 3:]], axis=1)
    return replace(asset, mesh=mesh.with_vertices(vertices), normals=normals, tangents=tangents)


def check_frame(options: FileOptions, suffix: str) -> Frame:
    """The frame of a format; BadInput when other axes or units are asked for than its standard has."""
    frame = FRAMES[suffix]
    for flag, asked, fixed in (("--axes", options.axes, frame.axes), ("--units", options.units, frame.units)):
        if frame.is_fixed and asked not in (None, fixed):
            raise BadInput(f"{flag} {asked} does not go with {suffix}, which is {fixed} by its standard; leave it out")
    return frame


def _z_up(rows: np.ndarray) -> np.ndarray:
    """Rows (N, 3) turned by 90 degrees about x: what faced +Z faces -Y."""
    x, y, z = np.asarray(rows).T
    return np.stack([x, -z, y], axis=1)
