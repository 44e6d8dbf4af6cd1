"""An object of parts, ready for the renderer."""

from dataclasses import dataclass

import numpy as np

from zero123pp.render.procedural.materials import Material
from zero123pp.render.procedural.solids import Part


@dataclass(frozen=True)
class Made:
    """A finished object, y up, facing +z."""

    kind: str
    vertices: np.ndarray
    """(N, 3) float64."""
    faces: np.ndarray
    """(F, 3) int64."""
    rest: np.ndarray
    """(N, 3) float64, where its material is looked up."""
    part_of_face: np.ndarray
    """(F,) int64."""
    materials: tuple[Material, ...]

    @classmethod
    def of(cls, kind: str, parts: list[Part]) -> "Made":
        """Parts put together as they lie."""
        starts = np.cumsum([0] + [len(p.vertices) for p in parts[:-1]])
        return cls(
            kind,
            np.concatenate([p.vertices for p in parts]),
            np.concatenate([p.faces + s for p, s in zip(parts, starts)]),
            np.concatenate([p.rest for p in parts]),
            np.repeat(np.arange(len(parts)), [len(p.faces) for p in parts]),
            tuple(p.material for p in parts),
        )

    def paint(self, face: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
        """SRGB (n, 3) 0..255 of places on faces (n,), given by the weights (n, 3) of their corners."""
        rest = np.einsum("nk,nkc->nc", weights, self.rest[self.faces[face]])
        rgb, owner = np.empty((len(face), 3), np.float32), self.part_of_face[face]
        order = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[order], np.arange(len(self.materials) + 1))
        for material, start, end in zip(self.materials, bounds[:-1], bounds[1:]):
            if start < end:
                mine = order[start:end]
                rgb[mine] = np.clip(material(rest[mine]), 0, 1) * 255
        return rgb
