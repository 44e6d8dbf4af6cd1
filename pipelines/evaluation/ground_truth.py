"""Ground-truth views of a known mesh: brought to the object's sphere and rendered by a rig, unlit."""

from collections.abc import Sequence

from zero123pp.images import to_float, to_uint8
from zero123pp.pipelines.evaluation.degrade import Degradation, degrade
from zero123pp.recon.render import render
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, MultiView, Part, View

SUPERSAMPLE = 2
"""Samples per pixel along each axis."""


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
    pictures: Sequence[View] | None = None,
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
        pictures: The true views of the rig's cameras; None for unlit ones.
    """
    views, cameras = [], get_rig(rig).cameras(tile_px)
    pictures = [true_view(parts, camera) for camera in cameras] if pictures is None else pictures
    for index, (camera, picture) in enumerate(zip(cameras, pictures)):
        view = degrade(picture, degradation, key=key, index=index, seed=seed)
        depth, normal = view.depth if with_depth else None, view.normal if with_normals else None
        rgb, alpha = (to_float(to_uint8(values)) for values in (view.rgb, view.alpha))
        views.append(View(rgb, alpha, camera, depth=depth, normal=normal))
    return MultiView(tuple(views), source="ground truth", rig=rig)


def true_view(parts: Sequence[Part] | Part, camera: Camera) -> View:
    """One unlit view with alpha, depth and view-space normals."""
    return render(parts, camera, supersample=SUPERSAMPLE)
