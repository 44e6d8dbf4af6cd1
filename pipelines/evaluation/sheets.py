"""Sheets of six views against the truth: the true sheets of a mesh, what models and baselines draw, the differences."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import (
    GRAY_BACKGROUND,
    over,
    resize_planes,
    resize_rgba,
    tile_sheet,
    to_float,
    to_uint8,
    untile_sheet,
)
from zero123pp.pipelines.evaluation.features import FeatureDistance
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.pipelines.evaluation.lit import Lighting, LitObject
from zero123pp.pipelines.evaluation.truth import turned
from zero123pp.recon.metrics import psnr, ssim
from zero123pp.render import Environment, Query, ViewsConfig, draw_query
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Cutout, Part, View

if TYPE_CHECKING:
    from zero123pp.pipelines.models import MultiViewModel

GRAY = GRAY_BACKGROUND / 255
"""Background of the sheets that are compared: the one on which Zero123++ draws."""

_OTHER_BACKGROUND = 0.15
"""A sheet whose border differs more from `GRAY` was drawn on another background; decoders miss theirs by less."""

INPUT_PX = 512
"""Side of the query picture before it is cut out."""


@dataclass(frozen=True)
class Sheet:
    """Six views as they are compared."""

    rgb: np.ndarray
    """(3 T, 2 T, 3) float32 sRGB on `GRAY`."""
    alpha: np.ndarray
    """(3 T, 2 T) float32."""

    @classmethod
    def of(cls, rgba: np.ndarray) -> "Sheet":
        """From straight colours and alpha (3 T, 2 T, 4), float32 in [0, 1]."""
        return cls(over(rgba[..., :3], rgba[..., 3], GRAY).astype(np.float32), rgba[..., 3].astype(np.float32))


@dataclass(frozen=True)
class TrueSheets:
    """One query of one object: what goes in, what should come out, rig by rig."""

    name: str
    cutout: Cutout
    parts: list[Part]
    """Turned so that the query stands at azimuth 0."""
    sheets: dict[str, Sheet]
    """Name of the rig to the true sheet."""


def true_sheets(
    name: str, parts: Sequence[Part], number: int, rigs: Sequence[str], tile_px: int, *, seed: int,
    lighting: Lighting | None,
) -> TrueSheets:  # fmt: skip
    """Query ``number`` of an object, drawn as in training, and its true sheets.

    Args:
        name: of the object; with ``seed`` and ``number`` it fixes the draws.
        parts: in the object's sphere.
        number: of the query.
        rigs: names of the rigs to render.
        tile_px: side of a view.
        seed: see ``name``.
        lighting: None for unlit pictures.
    """
    from zero123pp.pipelines.cutout import CutoutConfig, cut_out

    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    ranges = ViewsConfig()
    query = draw_query(rng.uniform(0, 360), ranges.elevation_deg, ranges.fov_deg, (0.9, 0.9), rng)
    parts = turned(parts, query.azimuth_deg)
    picture = _pictures(parts, lighting.of(rng) if lighting else None)
    tiles = {rig: get_rig(rig).cameras(tile_px) for rig in rigs}
    shown = picture([_query_camera(query, parts), *(camera for cameras in tiles.values() for camera in cameras)])
    sheets, first = {}, 1
    for rig, cameras in tiles.items():
        sheets[rig] = Sheet.of(to_float(tile_sheet(np.stack(shown[first : first + len(cameras)]))))
        first += len(cameras)
    label = name if number == 0 else f"{name}.{number}"
    return TrueSheets(label, cut_out(shown[0], CutoutConfig(method="alpha")), list(parts), sheets)


def _query_camera(query: Query, parts: Sequence[Part]) -> Camera:
    from dataclasses import replace

    from zero123pp.recon.meshing import geometry
    from zero123pp.render import query_camera

    whole = geometry(parts)
    return query_camera(replace(query, azimuth_deg=0.0), whole.vertices[np.unique(whole.faces)], INPUT_PX)


def _pictures(parts: Sequence[Part], environment: Environment | None) -> Callable[[Sequence[Camera]], list[np.ndarray]]:
    """A function from cameras to pictures (S, S, 4) uint8 of the object, all under one light and exposure."""

    def views(cameras: Sequence[Camera]) -> Sequence[View]:
        if environment is None:
            return [true_view(parts, camera) for camera in cameras]
        return LitObject(parts, lambda camera: environment, cameras).metered

    return lambda cameras: [to_uint8(np.dstack([view.rgb, view.alpha])) for view in views(cameras)]


def drawn_by(
    model: "MultiViewModel", truth: TrueSheets, tile_px: int, *, seed: int, steps: int | None, guidance: float | None,
    depth_scale: float | None = None,
) -> Sheet:  # fmt: skip
    """What a model draws of the query, at ``tile_px``.

    A sheet on `GRAY` that comes without alpha is compared as it was drawn; its alpha is keyed from the background, for
    the outlines only. One on another background (InstantMesh's UNet draws on white) is put on `GRAY` by that alpha.
    ``depth_scale`` draws under the true depth with that weight.
    """
    options = {"seed": seed, "steps": steps, "guidance": guidance}
    if depth_scale is not None:
        from zero123pp.pipelines.models import depth_sheet

        model.check_controls(depth=True)
        options["depth"] = depth_sheet(truth.parts, model.rig, model.sheet_size[0] // 2)
        options["depth_scale"] = depth_scale
    sheet = model.generate_sheet(truth.cutout, **options)
    if sheet.shape[-1] == 4:
        return resized(Sheet.of(sheet), tile_px)
    from zero123pp.pipelines.inputs import key_background

    tiles = to_float(untile_sheet(sheet))
    straight, alpha = key_background(tiles)
    border = np.concatenate([tiles[:, 0], tiles[:, -1], tiles[:, :, 0], tiles[:, :, -1]], axis=1).reshape(-1, 3)
    if np.abs(np.median(border, axis=0) - GRAY).max() > _OTHER_BACKGROUND:
        tiles = over(straight, alpha, GRAY).astype(np.float32)
    return resized(Sheet(tile_sheet(tiles), tile_sheet(alpha)), tile_px)


def repeated(truth: TrueSheets, tile_px: int) -> Sheet:
    """The input picture, six times."""
    from PIL import Image

    cutout = to_float(truth.cutout.rgba)
    rgba = resize_rgba(cutout, (tile_px, tile_px), Image.Resampling.BOX)
    return Sheet.of(tile_sheet(np.stack([rgba] * 6)))


def blank(tile_px: int) -> Sheet:
    """Nothing but background."""
    return Sheet.of(np.zeros((3 * tile_px, 2 * tile_px, 4), np.float32))


def mean_sheet(folder: str | Path, tile_px: int, most: int = 2000) -> tuple[Sheet, str]:
    """Mean of the sheets of rendered training samples (at most ``most``, spread over all), and their rig.

    It knows nothing of the picture: what a model does better than this, it has seen there.
    """
    from zero123pp.render import open_samples

    samples = open_samples(folder, depth=False, normals=False)
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).astype(int))
    total, rigs = 0.0, set()
    for number in chosen:
        sample = samples[int(number)]
        rigs.add(sample.meta.get("rig", "v1.2"))
        sheet = resized(Sheet.of(to_float(sample.sheet)), tile_px)
        total = total + np.dstack([sheet.rgb, sheet.alpha])
    if len(rigs) != 1:
        raise BadInput(f"{folder} mixes the rigs {', '.join(sorted(rigs))}; there is no mean of their sheets")
    mean = (total / len(chosen)).astype(np.float32)
    return Sheet(mean[..., :3], mean[..., 3]), rigs.pop()


def resized(sheet: Sheet, tile_px: int) -> Sheet:
    """The sheet with tiles of another size, each tile on its own: none bleeds into its neighbour."""
    from PIL import Image

    tiles = untile_sheet(np.dstack([sheet.rgb, sheet.alpha]))
    if tiles.shape[1] == tile_px:
        return sheet
    how = Image.Resampling.BOX if tiles.shape[1] % tile_px == 0 else Image.Resampling.BICUBIC
    small = [resize_planes(tile, (tile_px, tile_px), how) for tile in tiles]
    whole = np.clip(tile_sheet(np.stack(small)), 0, 1)
    return Sheet(whole[..., :3], whole[..., 3])


def differences(sheet: Sheet, truth: Sheet, features: Sequence[FeatureDistance] = ()) -> dict[str, float]:
    """How far a sheet is from the true one, as one picture of six tiles (the report's protocol).

    ``PSNR`` (dB) and ``SSIM`` on gray, ``alpha_IoU`` of the outlines of all views together, and each feature distance.
    """
    ours, true = sheet.alpha > 0.5, truth.alpha > 0.5
    union = (ours | true).sum()
    return {
        "PSNR": psnr(sheet.rgb, truth.rgb),
        "SSIM": ssim(sheet.rgb, truth.rgb),
        "alpha_IoU": float((ours & true).sum() / union) if union else 1.0,
    } | {distance.name: distance(sheet.rgb, truth.rgb) for distance in features}
