"""How rough a surface is to the eye: the angles between its neighbouring faces."""

import numpy as np

from zero123pp.recon.meshing import CleanConfig, clean, face_normals
from zero123pp.types import Mesh

FACES = 6000
"""Triangles at which surfaces are compared: the same solid has smaller angles the more faces it has."""


def roughness_deg(mesh: Mesh, faces: int = FACES) -> float:
    """Mean angle between the normals of neighbouring faces, weighted by the length of the edge between them, degrees.

    Args:
        mesh: closed; simplified to ``faces`` triangles first where it has more.
        faces: about how many triangles are compared; 0 takes the mesh as it is.
    """
    if 0 < faces < len(mesh.faces):
        mesh, _ = clean(mesh, CleanConfig(faces=faces, min_component=0))
    normals = face_normals(mesh.vertices, mesh.faces).astype(np.float64)
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).astype(np.int64)
    face = np.tile(np.arange(len(mesh.faces)), 3)
    edges.sort(axis=1)
    order = np.lexsort(edges.T)
    edges, face = edges[order], face[order]
    pair = np.flatnonzero((edges[1:] == edges[:-1]).all(1))
    angles = np.arccos(np.clip((normals[face[pair]] * normals[face[pair + 1]]).sum(1), -1, 1))
    lengths = np.linalg.norm(mesh.vertices[edges[pair, 0]] - mesh.vertices[edges[pair, 1]], axis=1)
    return float(np.rad2deg((angles * lengths).sum() / max(lengths.sum(), 1e-300)))
