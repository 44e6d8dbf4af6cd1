"""A mesh file of any tool as an object that the one-picture network can be trained on."""

from pathlib import Path

import numpy as np

from zero123pp.recon.load import load_parts
from zero123pp.train.one_view import Solid, StoredPaint
from zero123pp.types import TexturedMesh

_UNPAINTED = 180
"""sRGB gray, 0..255, of a mesh that has neither texture nor vertex colours."""


def solid_of(path: str | Path) -> Solid:
    """All parts of a mesh file as one object with a `StoredPaint`; BadInput when it cannot be read."""
    vertices, faces, uv, rgb, owner, textures, first = [], [], [], [], [], [], 0
    for part in load_parts(path):
        mesh = part.mesh if isinstance(part, TexturedMesh) else part
        count = len(mesh.faces)
        vertices.append(mesh.vertices)
        faces.append(mesh.faces + first)
        first += len(mesh.vertices)
        gray = np.full((count, 3, 3), _UNPAINTED, np.uint8)
        if isinstance(part, TexturedMesh):
            uv.append(part.uvs[mesh.faces])
            rgb.append(gray)
            owner.append(np.full(count, len(textures), np.int16))
            textures.append(np.asarray(part.base_color))
        else:
            uv.append(np.zeros((count, 3, 2), np.float32))
            rgb.append(gray if mesh.colors is None else mesh.colors[mesh.faces])
            owner.append(np.full(count, -1, np.int16))
    paint = StoredPaint(np.concatenate(uv), np.concatenate(rgb), np.concatenate(owner), tuple(textures))
    return Solid.of(np.concatenate(vertices), np.concatenate(faces), paint, Path(path).stem)
