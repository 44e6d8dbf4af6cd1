"""From a raw iso-surface to the mesh that is textured: few faces, one closed skin, outward winding."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.recon.meshing import topology
from zero123pp.recon.meshing.simplify import SIMPLIFIERS, Attempt
from zero123pp.recon.meshing.slivers import degenerate_faces, without_slivers
from zero123pp.types import Mesh

MAX_LISTED = 16
"""Pieces that a report lists one by one."""


@dataclass(frozen=True)
class CleanConfig:
    """What the exported mesh should be like."""

    faces: int = 10000
    """Triangles to simplify to; 0 keeps them all."""
    simplifier: Literal["fast", "meshlab"] = "fast"
    """Who collapses the edges: fast-simplification, or MeshLab (``zero123pp[meshlab]``, GPL-3.0), which takes a few
    times as long and makes triangles of much better shape, as near to the surface."""
    min_component: float = 0.02
    """Pieces with less than this share of the whole surface's area are dropped (share of 1); floaters are smaller."""

    def __post_init__(self) -> None:
        if self.faces < 0 or 0 < self.faces < 4:
            raise ConfigError(f"clean.faces is {self.faces}; expected 0 (keep all) or at least 4")
        if self.simplifier not in SIMPLIFIERS:
            raise ConfigError(f"clean.simplifier is {self.simplifier!r}; expected one of {', '.join(SIMPLIFIERS)}")
        if not 0 <= self.min_component < 1:
            raise ConfigError(f"clean.min_component is {self.min_component}; expected a share in [0, 1)")


def clean(mesh: Mesh, config: CleanConfig = CleanConfig()) -> tuple[Mesh, dict]:
    """A mesh ready for texturing.

    Floaters and inner cavities are dropped, redundant and degenerate faces removed, the winding turned outward, and the
    surface simplified to about ``config.faces`` triangles. A closed surface stays closed and manifold: a
    simplification that breaks it is done again more gently, or left out.

    Returns:
        The mesh, and a report: components_dropped, cavities_dropped, dropped_area (share of 1), dropped (the
        `MAX_LISTED` largest pieces, each with kind, area_share, faces, centre, size), components_kept, simplified
        (how), and the facts of the final mesh: faces, vertices, watertight (every edge has two faces that run along
        it in opposite directions), manifold (manifold3d accepts it, and no vertex joins two fans of faces), outward
        (every shell has a positive volume), shells (the largest ones' area_share, faces and volume),
        degenerate_faces (lower than `zero123pp.recon.meshing.slivers.LEAST_HEIGHT`), volume, area, euler.

    Raises:
        StageFailed: nothing is left.
        MissingBackend: the simplifier is not installed.
    """
    mesh = topology.without_redundant_faces(mesh)
    if not topology.is_watertight(mesh.faces):  # a triangle soup, or a surface with seams
        mesh = topology.without_redundant_faces(topology.welded(mesh))
    if not len(mesh.faces):
        raise StageFailed("there is no surface to clean: the mesh has no faces")
    mesh, dropped = _without_small_components(topology.outward(mesh), config.min_component)
    mesh, how = _simplified(mesh, config.faces, config.simplifier)
    mesh, split_off = _without_small_components(mesh, config.min_component)  # a repair cuts where sheets touch
    neater = without_slivers(mesh)
    if neater is not mesh and (topology.is_sound(neater) or not topology.is_sound(mesh)):
        mesh = neater
    added = ("components_dropped", "cavities_dropped", "dropped_area", "dropped")
    report = {key: dropped[key] + split_off[key] for key in added}
    report["dropped"] = sorted(report["dropped"], key=lambda piece: -piece["area_share"])[:MAX_LISTED]
    return mesh, report | {"components_kept": split_off["components_kept"], "simplified": how} | facts(mesh)


def _without_small_components(mesh: Mesh, min_share: float) -> tuple[Mesh, dict]:
    """The mesh without small pieces and without closed bubbles inside it, and what was dropped."""
    label, area, volume = topology.components(mesh)
    share = area / max(area.sum(), 1e-300)
    largest = share == share.max()
    # In an outward surface only the skin of an inner bubble winds inward; nobody can see it.
    cavity = (volume < 0) & ~largest if topology.is_watertight(mesh.faces) else np.zeros(len(area), bool)
    small = (share < min_share) & ~largest & ~cavity
    report = {
        "components_kept": int((~small & ~cavity).sum()),
        "components_dropped": int(small.sum()),
        "cavities_dropped": int(cavity.sum()),
        "dropped_area": float(share[small | cavity].sum()),
        "dropped": [
            _piece(mesh, label == index, share[index], bool(cavity[index])) for index in _listed(small | cavity, share)
        ],
    }
    if small.any() or cavity.any():
        mesh = topology.keep_faces(mesh, ~(small | cavity)[label])
    return mesh, report


def _listed(chosen: np.ndarray, share: np.ndarray) -> list[int]:
    """Indices of the chosen pieces with the largest shares of the area, at most `MAX_LISTED`."""
    order = np.argsort(-share, kind="stable")
    return [int(index) for index in order if chosen[index]][:MAX_LISTED]


def _piece(mesh: Mesh, faces: np.ndarray, share: float, cavity: bool) -> dict:
    """What the report says about a dropped piece, the faces (F,) bool of ``mesh``."""
    corners = mesh.vertices[np.unique(mesh.faces[faces])]
    low, high = corners.min(0).astype(float), corners.max(0).astype(float)
    return {
        "kind": "cavity" if cavity else "floater",
        "area_share": float(share),
        "faces": int(faces.sum()),
        "centre": ((low + high) / 2).round(4).tolist(),
        "size": float((high - low).max()),
    }


def _simplified(mesh: Mesh, target: int, simplifier: str) -> tuple[Mesh, str]:
    """About ``target`` faces by quadric edge collapse, and how it was done.

    Where collapses make sheets touch, the surface is repaired; where that fails, it is collapsed more gently.
    """
    attempts = [Attempt("no", lambda mesh, target: mesh)]
    if 0 < target < len(mesh.faces):
        attempts = [*SIMPLIFIERS[simplifier], *attempts]
    for how, collapsed in attempts:
        sound = topology.made_sound(collapsed(mesh, target))
        if sound is not None:
            return _with_colors_of(mesh, sound), how
    # The input itself is not closed: no gentler setting helps, so keep the face count that was asked for.
    how, collapsed = attempts[0]
    return _with_colors_of(mesh, collapsed(mesh, target)), how


def _with_colors_of(source: Mesh, mesh: Mesh) -> Mesh:
    """The mesh with the colour of the nearest vertex of ``source`` at each vertex."""
    if source.colors is None or mesh is source:
        return mesh
    from scipy.spatial import cKDTree

    nearest = cKDTree(source.vertices).query(mesh.vertices)[1]
    return Mesh(mesh.vertices, mesh.faces, source.colors[nearest])


def facts(mesh: Mesh) -> dict:
    """What the report of `clean` says about the final mesh: its connectivity, volume, area and shells."""
    seen_by_readers = topology.welded(mesh)
    label, area, volume = topology.components(mesh)
    counts = np.bincount(label, minlength=len(area))
    share = area / max(area.sum(), 1e-300)
    largest = _listed(np.ones(len(area), bool), share)
    return {
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        "watertight": topology.is_watertight(seen_by_readers.faces),
        "manifold": topology.is_manifold(mesh) and topology.pinched_vertices(seen_by_readers.faces) == 0,
        "outward": bool((volume > 0).all()),
        "shells": [
            {"area_share": float(share[i]), "faces": int(counts[i]), "volume": float(volume[i])} for i in largest
        ],
        "degenerate_faces": len(degenerate_faces(mesh)),
        "volume": topology.signed_volume(mesh),
        "area": float(topology.face_areas(mesh).sum()),
        "euler": topology.euler_characteristic(mesh.faces),
    }
