"""A pass over an object: 24 views of the rig's ring and 12 queries under one light, and the samples made of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet
from zero123pp.pipelines.training_data.multiview.shot import Shot, developed, shoot
from zero123pp.pipelines.training_data.multiview.surface import Surface
from zero123pp.render import (
    DEPTH_UNIT,
    Environment,
    PassDraw,
    Scene,
    ViewSample,
    ViewsConfig,
    encode_normals,
    in_query_frame,
    query_camera,
    ring_cameras,
    sheet_views,
)
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Part

LEAST_PX = 16
"""A query that shows less of the object is no sample."""

_WHITE_PERCENTILE = 95


def render_pass(
    parts: list[Part], key: str, draw: PassDraw, environment: Environment, config: ViewsConfig, meta: dict[str, Any]
) -> Iterator[ViewSample]:
    """The samples of a pass, in order; with ``config.mirrored`` each is followed by its mirror image.

    Args:
        parts: of the object, in the world frame.
        key: what the keys of the samples begin with.
        draw: see `zero123pp.render.draw.draw_pass`.
        environment: the one that was drawn.
        config: sizes.
        meta: goes into every sample's meta data.

    Raises:
        BadInput: no query shows the object.
    """
    surface = Surface(parts)
    scene = Scene(surface.vertices, surface.faces, surface.albedo)
    rig = get_rig(config.rig)
    corners = surface.vertices[np.unique(surface.faces)]
    ring = ring_cameras(rig, draw.first_deg, config.tile_px)
    queries = [query_camera(query, corners, config.query_px) for query in draw.queries]
    shots = []
    for number, camera in enumerate([*ring, *queries]):
        seed = draw.seed + 2 * number
        options = {"supersample": config.supersample, "samples": config.light_samples, "roughness": draw.roughness}
        shots.append(shoot(surface, scene, camera, environment, seed=seed, **options))
    exposure = exposure_of(shots, draw.brightness)
    meta = meta | {"light": _light(draw, exposure)}
    views, shown = _Views(shots[: len(ring)], exposure), 0
    for number, (camera, shot) in enumerate(zip(queries, shots[len(ring) :])):
        if (shot.alpha > 0.5).sum() < LEAST_PX:
            continue
        shown += 1
        query = developed(shot, exposure)
        for mirrored in (False, True)[: 1 + config.mirrored]:
            sheet = views.sheet(sheet_views(rig, number, mirrored=mirrored), mirrored, config)
            picture = query[:, ::-1] if mirrored else query
            about = meta | _about(draw, number, camera, mirrored, config)
            yield ViewSample(f"{key}-{number:02d}{'m' * mirrored}", np.ascontiguousarray(picture), *sheet, about)
    if not shown:
        raise BadInput(f"none of the {len(queries)} queries shows {LEAST_PX} px of the object")


def exposure_of(shots: list[Shot], brightness: float) -> float:
    """What radiance is multiplied by; the same for all views, as the light is."""
    levels = np.concatenate([shot.brightness for shot in shots])
    level = float(np.percentile(levels, _WHITE_PERCENTILE)) if len(levels) else 0.0
    if not level > 0:
        raise BadInput("no light reaches the object, or no view shows it")
    return brightness / level


class _Views:
    """The views of the ring as tiles."""

    def __init__(self, shots: list[Shot], exposure: float) -> None:
        self._rgba = np.stack([developed(shot, exposure) for shot in shots])
        self._depth = np.stack([shot.depth for shot in shots])
        self._normals = np.stack([shot.normals for shot in shots])

    def sheet(
        self, chosen: list[int], mirrored: bool, config: ViewsConfig
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Sheets of colour, depth and normals of the chosen views."""
        rgba, depth, normals = self._rgba[chosen], self._depth[chosen], self._normals[chosen]
        if mirrored:
            rgba, depth, normals = rgba[:, :, ::-1], depth[:, :, ::-1], normals[:, :, ::-1] * np.float32([-1, 1, 1])
        return (
            tile_sheet(rgba),
            tile_sheet(depth) if config.depth else None,
            tile_sheet(encode_normals(normals, depth > 0)) if config.normals else None,
        )


def _light(draw: PassDraw, exposure: float) -> dict[str, Any]:
    return {
        "environment": draw.environment,
        "turn_deg": _short(draw.turn_deg),
        "balanced": draw.balanced,
        "roughness": _short(draw.roughness) if draw.roughness else None,
        "exposure": _short(exposure),
    }


def _about(draw: PassDraw, number: int, camera: Camera, mirrored: bool, config: ViewsConfig) -> dict[str, Any]:
    """Cameras in the frame in which the query stands at azimuth 0, so the views are those of the rig."""
    query = draw.queries[number]
    own = in_query_frame(camera, query.azimuth_deg, mirrored=mirrored)
    return {
        "rig": config.rig,
        "mirrored": mirrored,
        "depth_unit": DEPTH_UNIT,
        "query": {
            "azimuth_deg": _short(query.azimuth_deg % 360),
            "elevation_deg": _short(query.elevation_deg),
            "fov_deg": _short(query.fov_deg),
            "distance": _short(query.distance),
            "world_from_cam": [[_short(value) for value in row] for row in own.world_from_cam],
            "intrinsics_px": [_short(value) for value in (own.fx, own.fy, own.cx, own.cy)],
            "size_px": [own.width, own.height],
        },
    }


def _short(value: float) -> float:
    return round(float(value), 9)
