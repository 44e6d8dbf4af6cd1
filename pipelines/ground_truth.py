"""Ground-truth views of a known mesh: brought to the object's sphere and rendered by a rig, unlit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.errors import BadInput
from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.degrade import Degradation, degrade
from zero123pp.recon.load import load_parts
from zero123pp.recon.metrics import join
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Mesh, MultiView, TexturedMesh, View

Part = Mesh | TexturedMesh

FILL = 0.97
"""Distance of the farthest vertex from the origin over the radius of the object's sphere."""

SUPERSAMPLE = 2
"""Samples per pixel along each axis."""


def geometry(parts: Sequence[Part]) -> Mesh:
    """The surface of all parts as one mesh, without colours."""
    return join([part.mesh if isinstance(part, TexturedMesh) else part for part in parts])


def normalise(parts: Sequence[Part], radius: float = FILL * OBJECT_RADIUS) -> list[Part]:
    """All parts moved and scaled together, so that the box round them is centred and the farthest vertex at ``radius``.

    Vertices that no face uses are not part of the surface and do not count. Directions are kept.

    Raises:
        BadInput: No faces, vertices that are not finite, or a single point.
    """
    whole = geometry(parts)
    used = whole.vertices[np.unique(whole.faces)].astype(np.float64)
    if not len(used) or not np.isfinite(used).all():
        raise BadInput(
            f"the mesh has {len(whole.faces)} faces and its vertices must be finite; it has no usable surface"
        )
    centre = (used.min(axis=0) + used.max(axis=0)) / 2
    farthest = np.linalg.norm(used - centre, axis=1).max()
    if farthest == 0:
        raise BadInput("all vertices of the mesh lie in one point; there is nothing to render")

    def moved(mesh: Mesh) -> Mesh:
        return mesh.with_vertices((mesh.vertices.astype(np.float64) - centre) * (radius / farthest))

    return [replace(part, mesh=moved(part.mesh)) if isinstance(part, TexturedMesh) else moved(part) for part in parts]


def load_normalised(path: str | Path) -> list[Part]:
    """The parts of a mesh file in the object's sphere, see `normalise`; BadInput names the file."""
    parts = load_parts(path)
    try:
        return normalise(parts)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def ground_truth_views(
    parts: Sequence[Part],
    rig: str = "v1.2",
    *,
    tile_px: int = 320,
    degradation: Degradation = Degradation(),
    key: str = "",
    seed: int = 0,
    with_normals: bool = False,
    with_depth: bool = False,
) -> MultiView:
    """The six views of a rig, as a perfect (or degraded) multi-view model would hand them over.

    Colours and alphas are rounded to 8 bits, as in the PNG sheet that they stand for.

    Args:
        parts: In the object's sphere, see `normalise`.
        rig: Name of the rig.
        tile_px: Side of each view, px.
        degradation: What is done to the views after rendering.
        key: Name of the object; with ``seed`` it fixes the degradation's draws.
        seed: See ``key``.
        with_normals: Keep the true view-space normals in the views.
        with_depth: Keep the true depths in the views.
    """
    views = []
    for index, camera in enumerate(get_rig(rig).cameras(tile_px)):
        view = degrade(true_view(parts, camera), degradation, key=key, index=index, seed=seed)
        depth, normal = view.depth if with_depth else None, view.normal if with_normals else None
        rgb, alpha = (to_float(to_uint8(values)) for values in (view.rgb, view.alpha))
        views.append(View(rgb, alpha, camera, depth=depth, normal=normal))
    return MultiView(tuple(views), source="ground truth", rig=rig)


def true_view(parts: Sequence[Part] | Part, camera: Camera) -> View:
    """One unlit view with alpha, depth and view-space normals."""
    return render(parts, camera, supersample=SUPERSAMPLE)
