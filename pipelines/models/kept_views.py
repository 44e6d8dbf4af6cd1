"""A mesh that is only painted: how it is read, and the picture as a view of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zero123pp.cameras import about_y
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import to_uint8
from zero123pp.pipelines.cutout import without_fringe
from zero123pp.pipelines.models.depth_control import in_frame, parts_of
from zero123pp.pipelines.reconstruct import ReconstructionConfig
from zero123pp.recon.registration import RegisterConfig, register_input_view
from zero123pp.recon.texturing import KeptMesh, colored, kept_mesh
from zero123pp.types import Cutout, MultiView, Part, View

_ELSEWHERE_DEG = tuple(range(30, 360, 30))
"""Azimuths that a picture is looked for at when it does not show the front."""


def read_kept_mesh(mesh: str | Path | Part | Sequence[Part], config: ReconstructionConfig) -> KeptMesh:
    """A mesh file, or meshes, as what is painted; BadInput names the file."""
    parts = parts_of(mesh)
    try:
        return kept_mesh(parts, in_frame(parts), config.texture.size)
    except BadInput as error:
        name = f"{mesh}: " if isinstance(mesh, str | Path) else ""
        raise BadInput(f"{name}{error}") from error


def picture_on(kept: KeptMesh, cutout: Cutout, config: RegisterConfig) -> MultiView:
    """The picture as the only view of the mesh, with what it lets one guess of the other side.

    Its camera is found by its outline, the mesh having one colour, that of the picture's mean: near azimuth 0, or else
    wherever the outlines agree best.

    Raises:
        StageFailed: from no camera has the mesh that outline.
    """
    from zero123pp.pipelines.models.back_side import back_side
    from zero123pp.pipelines.models.ink import without_ink

    rgba = without_fringe(cutout)
    rgb, alpha = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3]
    mean = to_uint8(rgb[alpha > 0.5].mean(0)) if (alpha > 0.5).any() else np.full(3, 127, np.uint8)
    config = replace(config, use="auto", least_psnr=0.0)
    best, view = _seen_from(0.0, kept, rgba, mean, config)
    if view is None:
        tried = [_seen_from(azimuth, kept, rgba, mean, config) for azimuth in _ELSEWHERE_DEG]
        best, view = max(tried, key=lambda each: (each[1] is not None, each[0]))
    if view is None:
        raise StageFailed(
            f"the picture does not show the mesh: their outlines overlap by {best:.0%} at best, from any side, and "
            f"{config.least_overlap:.0%} are needed; give views of it instead"
        )
    view = replace(view, confidence=1.0, behind=back_side(without_ink(rgb, alpha), alpha))
    return MultiView((view,), source="the picture", input_view=0)


def _seen_from(
    azimuth_deg: float, kept: KeptMesh, rgba: np.ndarray, color: np.ndarray, config: RegisterConfig
) -> tuple[float, View | None]:
    """Overlap of the outlines from about this azimuth, and the picture as a view of the mesh if it is one."""
    turn = about_y(azimuth_deg)
    mesh = colored(kept.mesh.with_vertices(kept.mesh.vertices @ turn), color)  # turned back: it faces the camera so
    view, found = register_input_view(rgba, mesh, config)
    if view is None:
        return float(found.get("overlap", 0.0)), None
    pose = view.camera.world_from_cam.copy()
    pose[:3] = turn @ pose[:3]
    return float(found["overlap"]), replace(view, camera=replace(view.camera, world_from_cam=pose))
