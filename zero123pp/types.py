"""The records that flow between stages: frozen, checked, numpy only, so that they pickle, cache and cross processes.

A record owns its arrays: they are read-only, and what a caller does to his own afterwards does not reach them. An array
that is read-only already, with all that it is a view of, is taken as it is, so records share what they have in common.

Conventions (frames, units, colours) are stated in `zero123pp.cameras`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from zero123pp.errors import BadInput


class ByContent:
    """Data classes that are equal when all they hold is, arrays by type, shape and every value.

    They have no hash, as arrays have none: take a name or ``id()`` as the key of a dictionary.
    """

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is a record of the same class with the same content; NaN is the same as NaN."""
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    __hash__ = None


class Record(ByContent):
    """Data classes that own their arrays, see the head of this file."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """From a pickle or a copy, which forget that arrays are read-only."""
        for name, value in state.items():
            object.__setattr__(self, name, read_only(value) if isinstance(value, np.ndarray) else value)


def _same(a: object, b: object) -> bool:
    if a is b:
        return True
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype):
            return False
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, tuple | list) and type(a) is type(b):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(value, b[key]) for key, value in a.items())
    return bool(a == b)


def read_only(value: object, dtype: type | None = None) -> np.ndarray:
    """``value`` as a contiguous array that nobody can change: itself where it is so already, else a copy."""
    given = np.asarray(value)
    array = np.ascontiguousarray(given, dtype=dtype)
    if np.may_share_memory(array, given) and not isinstance(value, list | tuple):
        if _unchanging(array):
            return array
        array = array.copy()
    array.flags.writeable = False
    return array


def _unchanging(array: object) -> bool:
    """Whether neither the array nor whatever it is a view of can be written to."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        if array.base is None:
            return True
        array = array.base
    try:
        return memoryview(array).readonly
    except TypeError:
        return False


def _array(name: str, value: object, shape: tuple[int | None, ...], dtype: type) -> np.ndarray:
    """``value`` as a read-only array of ``dtype``; BadInput unless it fits ``shape`` (None: any length)."""
    array = np.asarray(value)
    if array.ndim != len(shape) or any(want is not None and got != want for got, want in zip(array.shape, shape)):
        wanted = tuple("any" if n is None else n for n in shape)
        raise BadInput(f"{name} has shape {array.shape}; expected {wanted}")
    if np.issubdtype(dtype, np.integer) and not np.issubdtype(array.dtype, np.integer):
        raise BadInput(f"{name} has type {array.dtype}; expected integers")
    return read_only(array if isinstance(value, np.ndarray) else value, dtype)


@dataclass(frozen=True, eq=False)
class Camera(Record):
    """A pinhole camera."""

    world_from_cam: np.ndarray
    """(4, 4) float64, camera (OpenCV axes) to world."""
    fx: float
    fy: float
    cx: float
    cy: float
    """Focal lengths and principal point, px."""
    width: int
    height: int
    """Picture size, px."""

    def __post_init__(self) -> None:
        pose = _array("world_from_cam", self.world_from_cam, (4, 4), np.float64)
        rotation = pose[:3, :3]
        if not np.isfinite(pose).all() or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4):
            raise BadInput(f"world_from_cam is not a rigid transform: {pose.tolist()}")
        if not (self.fx > 0 and self.fy > 0 and self.width > 0 and self.height > 0):
            got = (self.fx, self.fy, self.width, self.height)
            raise BadInput(f"camera needs positive focal lengths and size, got {got}")
        object.__setattr__(self, "world_from_cam", pose)


@dataclass(frozen=True, eq=False)
class Cutout(Record):
    """The object of the input picture, cut out and centred on a square."""

    rgba: np.ndarray
    """(S, S, 4) uint8, straight (not premultiplied) alpha."""
    method: str = "given"
    """How the alpha came about: 'given', 'alpha', 'bundled' or 'rembg:<model>'."""
    notes: tuple[str, ...] = ()
    """What the user should know about it, one sentence each."""

    def __post_init__(self) -> None:
        rgba = _array("cutout", self.rgba, (None, None, 4), np.uint8)
        if rgba.shape[0] != rgba.shape[1]:
            raise BadInput(f"cutout is {rgba.shape[1]}x{rgba.shape[0]} px; expected a square")
        object.__setattr__(self, "rgba", rgba)


@dataclass(frozen=True, eq=False)
class View(Record):
    """One posed picture of the object."""

    rgb: np.ndarray
    """(H, W, 3) float32, sRGB in [0, 1]; any value where alpha is 0."""
    alpha: np.ndarray
    """(H, W) float32 in [0, 1]."""
    camera: Camera
    depth: np.ndarray | None = None
    """(H, W) float32, distance to the camera plane; 0 where there is no surface."""
    normal: np.ndarray | None = None
    """(H, W, 3) float32, view-space unit normals (x right, y up, z towards the viewer); 0 where unknown."""
    confidence: float = 1.0
    """Trust in this view relative to the others; scales its share in the fit and in the texture."""
    behind: np.ndarray | None = None
    """(H, W, 3) float32, guessed sRGB in [0, 1] where each pixel's ray leaves the object, for what no view sees."""

    def __post_init__(self) -> None:
        h, w = self.camera.height, self.camera.width
        object.__setattr__(self, "rgb", _array("rgb", self.rgb, (h, w, 3), np.float32))
        object.__setattr__(self, "alpha", _array("alpha", self.alpha, (h, w), np.float32))
        if self.depth is not None:
            object.__setattr__(self, "depth", _array("depth", self.depth, (h, w), np.float32))
        if self.normal is not None:
            object.__setattr__(self, "normal", _array("normal", self.normal, (h, w, 3), np.float32))
        if self.behind is not None:
            object.__setattr__(self, "behind", _array("behind", self.behind, (h, w, 3), np.float32))


@dataclass(frozen=True, eq=False)
class MultiView(Record):
    """Posed pictures of one object, and who made them."""

    views: tuple[View, ...]
    source: str
    """Name of the source for reports, e.g. 'preview' or 'zero123plus-v1.2'."""
    rig: str | None = None
    """Name of the rig when the first six views are those of one of `zero123pp.rigs.RIGS`."""
    sheet: np.ndarray | None = None
    """(3 S, 2 S, 3 or 4) uint8, the sheet as it was generated or read, when there is one."""
    input_view: int | None = None
    """Which of the views is the picture that they were made from; None where none is."""
    note: str = ""
    """One sentence on what to expect of these views, where that is not what their source says of all; else ''."""
    surface: "Mesh | None" = None
    """The object's closed surface with vertex colours, world frame, where their source knows it: then nothing is
    fitted to the views, and they only paint it."""
    captured: bool = False
    """Whether they are photographs with measured cameras, which are right where a generated view may be wrong."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", tuple(self.views))
        if self.surface is not None and not len(self.surface.faces):
            raise BadInput("the surface that comes with the views has no faces")
        if not self.views:
            raise BadInput("a MultiView needs at least one view, got none")
        if self.input_view is not None and not 0 <= self.input_view < len(self.views):
            raise BadInput(f"input_view is {self.input_view}; expected one of the views, 0 to {len(self.views) - 1}")
        if self.sheet is not None:
            object.__setattr__(self, "sheet", _array("sheet", self.sheet, (None, None, None), np.uint8))

    def __len__(self) -> int:
        return len(self.views)


@dataclass(frozen=True, eq=False)
class Mesh(Record):
    """A triangle mesh in the world frame."""

    vertices: np.ndarray
    """(Nv, 3) float32."""
    faces: np.ndarray
    """(Nf, 3) int32 vertex indices, counter-clockwise seen from outside."""
    colors: np.ndarray | None = None
    """(Nv, 3) uint8 sRGB."""

    def __post_init__(self) -> None:
        vertices = _array("vertices", self.vertices, (None, 3), np.float32)
        faces = _array("faces", self.faces, (None, 3), np.int32)
        if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise BadInput(f"faces index vertices {faces.min()}..{faces.max()}, but there are {len(vertices)}")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces)
        if self.colors is not None:
            object.__setattr__(self, "colors", _array("colors", self.colors, (len(vertices), 3), np.uint8))

    def with_vertices(self, vertices: np.ndarray) -> "Mesh":
        """The same mesh with its vertices moved."""
        return replace(self, vertices=vertices)


@dataclass(frozen=True, eq=False)
class TexturedMesh(Record):
    """A mesh with a texture atlas."""

    mesh: Mesh
    """Vertices are split along UV seams, so this mesh is open there; its geometry is the one before unwrapping."""
    uvs: np.ndarray
    """(Nv, 2) float32, one per vertex; u to the right, v up (glTF exporters flip v)."""
    base_color: np.ndarray
    """(Ht, Wt, 3) uint8 sRGB; row 0 is the top of the picture (v = 1)."""
    normals: np.ndarray | None = None
    """(Nv, 3) float32 smooth unit vertex normals, equal on both sides of a UV seam."""
    confidence: np.ndarray | None = None
    """(Ht, Wt) uint8, trust in the views that each texel's colour comes from: 255 is the highest (the input picture),
    0 where no view sees the surface or there is none."""
    normal_map: np.ndarray | None = None
    """(Hn, Wn, 3) uint8, normals of a finer surface in the tangent space of `tangents`: 0..255 stand for -1..1 along
    the tangent (u), the bitangent (v, up in the picture) and the normal."""
    tangents: np.ndarray | None = None
    """(Nv, 4) float32, unit tangent and the sign of the bitangent (MikkTSpace); where there is a normal map."""

    def __post_init__(self) -> None:
        count = len(self.mesh.vertices)
        object.__setattr__(self, "uvs", _array("uvs", self.uvs, (count, 2), np.float32))
        object.__setattr__(self, "base_color", _array("base_color", self.base_color, (None, None, 3), np.uint8))
        if self.normals is not None:
            object.__setattr__(self, "normals", _array("normals", self.normals, (count, 3), np.float32))
        if self.confidence is not None:
            shape = self.base_color.shape[:2]
            object.__setattr__(self, "confidence", _array("confidence", self.confidence, shape, np.uint8))
        if self.normal_map is not None:
            object.__setattr__(self, "normal_map", _array("normal_map", self.normal_map, (None, None, 3), np.uint8))
        if self.tangents is not None:
            object.__setattr__(self, "tangents", _array("tangents", self.tangents, (count, 4), np.float32))


Part = Mesh | TexturedMesh
"""One of the meshes that a scene or a file consists of."""
