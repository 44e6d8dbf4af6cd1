"""Looks at fitted surfaces of known objects and the truth of them, to train the network that corrects normals on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from zero123pp.cameras import VIEW_FROM_CAM_AXES
from zero123pp.errors import ConfigError
from zero123pp.pipelines.evaluation.degrade import Degradation
from zero123pp.pipelines.evaluation.ground_truth import true_view
from zero123pp.pipelines.evaluation.reconstruction import EvaluationSettings, views_of
from zero123pp.pipelines.evaluation.variation import varied
from zero123pp.recon.fitting import Look, fit, halved, nearest_depth, network_inputs
from zero123pp.recon.meshing import load_normalised
from zero123pp.train.correction import LookStore, TrueLook
from zero123pp.types import Part

_UNLIT, _LIGHT_GOES_ROUND = 0.12, 0.12
"""Shares of objects that are not lit, and whose light goes round with the camera."""
_WARPED, _WARP_PX, _GAIN = 0.3, (1.0, 3.0), 0.05
"""Share of objects whose views disagree, by how much, and how much their brightness then differs."""
_LOWER_RIG = 0.2
_MOSTLY = 0.6
"""Share of a place's pixels that must show the object for its truth to be known, and least length of the mean of their
normals."""
_ONE_WAY = 0.2


def true_looks(
    path: Path, settings: EvaluationSettings, *, number: int = 0, prints: Sequence[np.ndarray] = ()
) -> list[TrueLook]:
    """All looks that the fit takes at an object, with views drawn for its name.

    Args:
        path: of the mesh.
        settings: its lighting is used for most objects, its config for the fit.
        number: above 0 it is another object made of the mesh, each number another, see `varied`.
        prints: pictures (H, W, 3) uint8 for such an object.

    Raises:
        ConfigError: that config never looks at its surface.
        BadInput: the mesh cannot be read.
        StageFailed: it cannot be fitted.
    """
    config = replace(settings.config.fit, field="grid")  # looks are of its levels
    if len(config.levels) < 2 or not (config.weight_corrected or config.weight_smoothed):
        raise ConfigError("fit.levels has one level, or neither fit.weight_corrected nor fit.weight_smoothed is above "
            "0; then the fit looks at nothing")  # fmt: skip
    parts, looks, name = load_normalised(path), [], LookStore.name_of(path.stem, number)
    if number:
        parts = varied(parts, prints, _rng(name, settings.seed, "varied"))
    views, _ = views_of(name, parts, _drawn(name, settings))
    fit(views, config, seed=settings.seed, watch=lambda look: looks.extend(_told(look, parts)))
    return looks


def _rng(name: str, seed: int, purpose: str = "") -> np.random.Generator:
    return np.random.default_rng([seed, crc32((name + purpose).encode())])


def _drawn(name: str, settings: EvaluationSettings) -> EvaluationSettings:
    rng = _rng(name, settings.seed)
    light, warps = rng.random(), rng.random() < _WARPED
    degradation = Degradation(warp_px=rng.uniform(*_WARP_PX), gain=_GAIN) if warps else Degradation()
    return replace(
        settings,
        lighting=None if light < _UNLIT else settings.lighting,
        light_fixed_to="camera" if light > 1 - _LIGHT_GOES_ROUND else "object",
        degradation=degradation,
        rig="v1.1" if rng.random() < _LOWER_RIG else "v1.2",
    )


def _told(look: Look, parts: Sequence[Part]) -> list[TrueLook]:
    """What the network is shown of a look, picture by picture, with the truth."""
    result, shown_of = [], network_inputs(look)
    for own, (picture, seen) in enumerate(zip(look.level.pictures, look.seen)):
        truth = true_view(parts, picture.camera)
        known = (truth.alpha > 0.99) & picture.solid
        mean = halved(truth.normal @ VIEW_FROM_CAM_AXES * known[..., None])
        length = np.linalg.norm(mean, axis=-1)
        fitted, true = nearest_depth(seen.depth), nearest_depth(truth.depth * known * look.level.per_voxel)
        shown = (fitted > 0) & (true > 0) & (halved(known) > _MOSTLY) & (length > _ONE_WAY)
        normals = (mean / np.maximum(length, 1e-6)[..., None]).transpose(2, 0, 1)
        result.append(TrueLook(shown_of(own), normals, np.where(shown, true - fitted, 0), shown))
    return result
