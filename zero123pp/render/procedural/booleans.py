"""Cutting and joining parts, by manifold3d; textures stay where they were."""

import manifold3d
import numpy as np

from zero123pp.render.procedural.solids import Part


class NoSolid(ValueError):
    """Nothing closed is left: parts drawn at random may swallow each other."""


def subtract(part: Part, *tools: Part) -> Part:
    """What is left of a part; it keeps its material, cut faces have the texture of the tools' own coordinates."""
    out = _to_manifold(part)
    for tool in tools:
        out = out - _to_manifold(tool)
    return _to_part(out, part)


def unite(part: Part, *others: Part) -> Part:
    """One part of one material."""
    out = _to_manifold(part)
    for other in others:
        out = out + _to_manifold(other)
    return _to_part(out, part)


def refined(part: Part, edge: float) -> Part:
    """With no edge longer than this, so that it can be bent."""
    return _to_part(_to_manifold(part).refine_to_length(edge), part)


def _to_manifold(part: Part) -> manifold3d.Manifold:
    properties = np.concatenate([part.vertices, part.rest], 1).astype(np.float32)
    mesh = manifold3d.Mesh(properties, part.faces.astype(np.uint32))
    mesh.merge()
    made = manifold3d.Manifold(mesh)
    if made.status() != manifold3d.Error.NoError or made.is_empty():
        raise NoSolid(f"a part is no closed solid: {made.status()}")
    return made


def _to_part(manifold: manifold3d.Manifold, like: Part) -> Part:
    mesh = manifold.to_mesh()
    properties, faces = np.asarray(mesh.vert_properties, float), np.asarray(mesh.tri_verts, np.int64)
    if not len(faces):
        raise NoSolid("nothing is left of a part")
    return Part(properties[:, :3], faces, properties[:, 3:6], like.material)
