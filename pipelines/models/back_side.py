"""A guess of how an object looks from behind, from its picture: what surrounds it goes on, what stares does not."""

from dataclasses import dataclass

import numpy as np

from zero123pp.images import resize_planes

_WORK_PX = 160  # the guess is smooth: a small grid holds it
_OUTLINE_PX = 5  # of the small grid: median window that drops outlines drawn round an object
_FEATURE_PX = 9  # of the small grid: median window that drops eyes, buttons and letters
_GUESS_PX = 56  # a guess is brought to this first: a network that is unsure draws the front's eyes faintly
_DETAIL_SIZE = 0.012  # picture sides; finer is texture (grain, fur, scales), coarser is drawing (eyes, letters)


@dataclass(frozen=True)
class BackConfig:
    """How the back is guessed."""

    rim: float = 0.03
    """Width of the front's own colours kept along the outline, in picture sides."""
    across: float = 8.0
    """How much more strongly colours spread sideways than up and down: things that stand differ by height."""
    agreement: float = 0.2
    """Colour distance, sRGB, up to which large patches of the front are kept on the back: stripes and shading stay, a
    pale face under dark hair goes."""
    detail: float = 0.05
    """Strength (rms) above which fine texture is dropped, sRGB: a wood grain stays, the drawing of an eye goes."""
    shade: float = 0.95
    """Brightness of the back inside the rim, relative to the front."""
    streaks: float = 0.012
    """With a guess of the inside: detail of the rim finer than this, in picture sides, would be streaks on flanks."""
    reach: float = 0.08
    """With a guess of the inside: how far the colours of the rim are carried into it, in picture sides."""


def back_side(
    rgb: np.ndarray, alpha: np.ndarray, config: BackConfig = BackConfig(), guess: np.ndarray | None = None
) -> np.ndarray:
    """Colours (S, S, 3) float32 of the back, as seen through the object from the front.

    Near the outline it is the front's picture, which it has to meet there. Inside, the colours of the rim are carried
    on by a membrane (Laplace's equation, stiffer sideways); it takes up the large patches of the front that agree
    with it, and the front's fine texture. Where there is a guess of the inside, the membrane carries on only what the
    rim differs from it by, fading (a screened Poisson equation), and no patches are taken up.

    Args:
        rgb: (S, S, 3) float32 sRGB, with sensible colours outside the object as well.
        alpha: (S, S) float32, the object is where it exceeds 1/2.
        config: see `BackConfig`.
        guess: (S', S', 3) sRGB of the same square, with sensible colours outside the object; its large patches are
            used.
    """
    from PIL import Image
    from scipy import ndimage

    size = len(rgb)
    work = min(size, _WORK_PX)
    small = resize_planes(rgb, (work, work), Image.Resampling.BOX)
    inside = resize_planes(alpha, (work, work), Image.Resampling.BOX) > 0.5
    free = ndimage.distance_transform_edt(inside) > max(config.rim * work, 1)
    rim, rgb_rim = ndimage.median_filter(small, (_OUTLINE_PX, _OUTLINE_PX, 1)), rgb
    if guess is None:
        carried = _membrane(rim, free, config.across)
        patches = ndimage.median_filter(small, (_FEATURE_PX, _FEATURE_PX, 1))
        difference = patches - carried
        carried += np.exp(-(difference**2).sum(-1, keepdims=True) / config.agreement**2) * difference
    else:
        coarse = resize_planes(guess, 2 * (min(work, _GUESS_PX),), Image.Resampling.BOX)
        coarse = ndimage.median_filter(coarse, (_FEATURE_PX, _FEATURE_PX, 1))
        patches = resize_planes(coarse, (work, work), Image.Resampling.BICUBIC)
        rgb_rim = ndimage.gaussian_filter(rgb, (config.streaks * size, config.streaks * size, 0), truncate=2)
        carried = patches + _membrane(rim - patches, free, 1.0, screen=(config.reach * work) ** -2.0)
    smooth = ndimage.gaussian_filter(carried, (1.5, 1.5, 0))
    plain = resize_planes(smooth, (size, size), Image.Resampling.BICUBIC)

    texture = _fine_texture(rgb, config.detail)
    depth = ndimage.distance_transform_edt(alpha > 0.5) / size
    mix = np.clip((depth / config.rim - 0.3) / 1.2, 0, 1)[..., None].astype(np.float32)
    mix = mix * mix * (3 - 2 * mix)
    shade = 1 - (1 - config.shade) * mix
    return np.clip(shade * (rgb_rim + mix * (plain + texture - rgb_rim)), 0, 1).astype(np.float32)


def _fine_texture(rgb: np.ndarray, amplitude: float) -> np.ndarray:
    """What is finer than `_DETAIL_SIZE`, faded out wherever its local strength exceeds ``amplitude``."""
    from scipy import ndimage

    sigma = (_DETAIL_SIZE * len(rgb), _DETAIL_SIZE * len(rgb), 0)
    texture = rgb - ndimage.gaussian_filter(rgb, sigma, truncate=2)
    energy = ndimage.gaussian_filter((texture**2).sum(-1, keepdims=True), sigma, truncate=2)
    return texture * (amplitude**4 / (amplitude**4 + energy**2 + 1e-12))


def _membrane(values: np.ndarray, free: np.ndarray, across: float, screen: float = 0.0) -> np.ndarray:
    """Solve div(diag(across, 1) grad u) = screen u on the free pixels of (H, W, C); the others hold their values."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    count = int(free.sum())
    result = values.astype(np.float64)
    if count == 0:
        return result
    index = np.full(free.shape, -1)
    index[free] = np.arange(count)
    right_side = np.zeros((count, values.shape[-1]))
    links = []
    for axis, side, weight in ((0, 1, 1.0), (0, -1, 1.0), (1, 1, across), (1, -1, across)):
        neighbour = np.roll(index, -side, axis)[free]
        linked = neighbour >= 0
        links.append((np.nonzero(linked)[0], neighbour[linked], np.full(linked.sum(), -weight)))
        right_side[~linked] += weight * np.roll(result, -side, axis)[free][~linked]
    rows, columns, weights = (np.concatenate(part) for part in zip(*links))
    matrix = sparse.csc_matrix((weights, (rows, columns)), (count, count))
    matrix = matrix + sparse.diags(np.full(count, 2.0 + 2 * across + screen), format="csc")
    result[free] = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right_side)
    return result
