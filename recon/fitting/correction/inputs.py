"""What the normals network is shown of a view: the picture, and the fit's own surface in it, at half the size.

Vectors are in the camera's axes (x right, y down, z forward), lengths in voxels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zero123pp.recon.fitting.correction.sweep import OFFSETS, add_changes
from zero123pp.recon.fitting.flats import AgreedNormals, Look
from zero123pp.recon.fitting.seen import Picture, SeenSurface
from zero123pp.recon.ops import kernel_input

STEP = 2
"""Pixels of a picture to one of the network's, which sees the colours of all of them."""
LOOK_CHANNELS = {
    "pixels": slice(0, 16),
    "raw": slice(16, 19),
    "smoothed": slice(19, 22),
    "agreement": slice(22, 23),
    "alone": slice(23, 24),
    "plain": slice(24, 25),
    "depth": slice(25, 26),
    "carved": slice(26, 27),
    "contrast": slice(27, 28),
    "changes": slice(28, 28 + len(OFFSETS)),
    "others": slice(28 + len(OFFSETS), 29 + len(OFFSETS)),
}
"""Of the input: the colours (premultiplied, less a half) and alphas of `STEP` x `STEP` pixels; the surface's normals,
and those that `flats` smooths; how far the views agree on them; whether no other view sees the place; whether the
picture is plain there; its depth beyond the median one, as a share of a third of the grid; what was carved off the
hull; the object's contrast; how far other views' colours are, see `sweep`; how many of them see the place."""
LOOK_COUNT = LOOK_CHANNELS["others"].stop

_MOST_CARVED, _CARVED_UNIT = 12.0, 4.0
_CHANGE_GAIN, _MOST_CHANGE = 3.0, 2.0
"""Factor of changes of colour (0 to 1) on objects of the usual contrast, more on plainer ones; the largest value."""
_USUAL_CONTRAST, _LEAST_CONTRAST = 0.15, 0.05
UNSEEN = -0.2
"""What stands for a change of colour where no other view looks."""
_ONE_SURFACE = 2.0
"""Voxels of depth beyond the nearest of `STEP` x `STEP` pixels up to which they are of one surface."""
_USUAL_OTHERS = 2.5


@dataclass(frozen=True)
class _Small:
    """A picture and its surface at the network's size."""

    rgba: np.ndarray
    depth: np.ndarray
    smoothed: np.ndarray
    """(h, w, 3) in the camera's axes, means of unit normals."""


def network_inputs(look: Look) -> Callable[[int], np.ndarray]:
    """What the network is shown of a picture of a look, by the picture's number.

    For a picture (H, W) it is (LOOK_COUNT, ceil(H / 2), ceil(W / 2)) float32. It is made when it is asked for: of many
    views together it would be large.
    """
    small = list(look.level.pool.map(_smaller, look.level.pictures, look.seen, look.agreed))

    def shown(own: int) -> np.ndarray:
        picture, seen, agreed = look.level.pictures[own], look.seen[own], look.agreed[own]
        return _stacked(look, picture, seen, agreed, small[own], *_changes(look, small, own))

    return shown


def enlarged(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Maps (h, w, ...) of the network at the size (H, W) of the picture."""
    return values.repeat(STEP, 0).repeat(STEP, 1)[: shape[0], : shape[1]]


def halved(values: np.ndarray) -> np.ndarray:
    """Means (h, w, ...) over `STEP` x `STEP` values of (H, W, ...); those beyond the border are 0."""
    return _blocks(values).mean((1, 3), dtype=np.float32)


def nearest_depth(depth: np.ndarray) -> np.ndarray:
    """Depth (h, w) of the nearest surface in `STEP` x `STEP` pixels of (H, W): the mean over its pixels; 0 for none."""
    blocks = _blocks(depth).swapaxes(1, 2).reshape(-(-depth.shape[0] // STEP), -(-depth.shape[1] // STEP), STEP**2)
    near = np.where(blocks > 0, blocks, np.inf).min(-1, keepdims=True)
    same = (blocks > 0) & (blocks < near + _ONE_SURFACE)
    return ((blocks * same).sum(-1) / np.maximum(same.sum(-1), 1)).astype(np.float32)


def _blocks(values: np.ndarray) -> np.ndarray:
    """(h, STEP, w, STEP, ...), with zeros beyond the border."""
    height, width = values.shape[:2]
    padded = np.pad(values, [(0, -height % STEP), (0, -width % STEP)] + [(0, 0)] * (values.ndim - 2))
    return padded.reshape(padded.shape[0] // STEP, STEP, padded.shape[1] // STEP, STEP, *values.shape[2:])


def _smaller(picture: Picture, seen: SeenSurface, agreed: AgreedNormals) -> _Small:
    on = (seen.depth > 0)[..., None]
    smoothed = (agreed.normals * on) @ picture.camera.world_from_cam[:3, :3]
    return _Small(halved(picture.rgba), nearest_depth(seen.depth), halved(smoothed))


def _changes(look: Look, small: Sequence[_Small], own: int) -> tuple[np.ndarray, np.ndarray]:
    """How far other views' colours are from those of view ``own`` (h, w, O), 0 to 1, and how many (h, w) see it."""
    shape = (*small[own].depth.shape, len(OFFSETS))
    total, say = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    normals = small[own].smoothed @ look.level.pictures[own].camera.world_from_cam[:3, :3].T
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    for other in look.level.others[own]:
        add_changes(
            kernel_input(small[own].rgba), kernel_input(small[own].depth), kernel_input(normals, np.float32),
            look.level.pictures[own].cam_to_world, kernel_input(small[other].rgba), kernel_input(small[other].depth),
            look.level.pictures[other].world_to_cam, look.level.pictures[other].whole, OFFSETS, STEP, total, say,
        )  # fmt: skip
    return np.where(say > 0, total / np.maximum(say, 1e-6), np.nan), say[..., len(OFFSETS) // 2]


def _stacked(
    look: Look, picture: Picture, seen: SeenSurface, agreed: AgreedNormals, small: _Small, changes: np.ndarray,
    others: np.ndarray,
) -> np.ndarray:  # fmt: skip
    on = seen.depth > 0
    rotation = picture.camera.world_from_cam[:3, :3]
    pixels = _blocks(np.dstack([picture.rgba[..., :3] - 0.5 * (picture.rgba[..., 3:] > 0), picture.rgba[..., 3:]]))
    pixels = pixels.swapaxes(1, 2).reshape(*small.depth.shape, -1)
    middle = np.median(seen.depth[on]) if on.any() else 1.0
    contrast = _USUAL_CONTRAST / max(look.level.contrast, _LEAST_CONTRAST)
    changes = np.where(np.isnan(changes), UNSEEN, np.minimum(changes * contrast * _CHANGE_GAIN, _MOST_CHANGE))
    changes = np.where((small.depth > 0)[..., None] & (small.rgba[..., 3:] >= 0.5), changes, 0)
    planes = [
        pixels,
        halved((seen.raw * on[..., None]) @ rotation),
        small.smoothed,
        halved(np.stack([agreed.agreement, agreed.is_alone, np.clip(picture.plain, 0, 1)], -1)),
        ((small.depth - middle) * (small.depth > 0) * (3 / len(look.sdf)))[..., None],
        halved(np.clip(look.carved(picture, seen.depth), -1, _MOST_CARVED) / _CARVED_UNIT)[..., None],
        np.full((*small.depth.shape, 1), 2 * look.level.contrast),
        changes,
        others[..., None] / _USUAL_OTHERS,
    ]
    return np.ascontiguousarray(np.concatenate(planes, -1, dtype=np.float32).transpose(2, 0, 1))
