"""What a refiner is trained to draw over: sheets of the first stage, drawn by it, or true ones made worse as it errs.

Zero123++ draws 320 px views that are soft (its VAE has no pixel for thin lines), that do not fit each other to the
pixel, whose colours are off by a little, each view's by its own, and that carry the weak blotches of a decoder. Nothing
of that touches the plain background.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zero123pp.diffusion import first_stage_tiles, resized
from zero123pp.errors import BadInput, ConfigError
from zero123pp.recon.ops import bilinear, smooth_field

_REFERENCE_PX = 320


@dataclass(frozen=True)
class FirstStageErrors:
    """How much worse; each view draws its own amounts, from nothing to these. Lengths are px of a 320 px tile."""

    tile_px: int = 320
    """Side of the views that the first stage draws, px."""
    blur_px: float = 1.5
    """Largest standard deviation of a Gaussian blur."""
    warp_px: float = 0.75
    """Largest root mean square of each component of a smooth displacement."""
    smoothness_px: float = 24.0
    """Standard deviation of the Gaussian that smooths the displacement."""
    gain: float = 0.06
    """Largest change of brightness, as a share; channels differ by a third of it."""
    blotches: float = 0.02
    """Largest standard deviation of the decoder's noise, of colours in [0, 1]."""
    grain_px: float = 1.0
    """Standard deviation of the Gaussian that smooths that noise."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0) or (name in ("tile_px", "smoothness_px") and not value > 0):
                raise ConfigError(f"{name} is {value!r}; expected a number of at least 0, above it for a size")


def worsened(
    tiles: torch.Tensor, alpha: torch.Tensor, errors: FirstStageErrors, rng: np.random.Generator
) -> torch.Tensor:
    """True tiles as a first stage might have drawn them.

    Args:
        tiles: (n, 3, S, S) in [0, 1], on a plain background.
        alpha: (n, 1, S, S) in [0, 1] of the object.
        errors: how much worse.
        rng: of all draws.

    Returns:
        (n, 3, T, T) in [0, 1], with T = ``errors.tile_px``.
    """
    small, masks = resized(tiles, errors.tile_px).numpy(), resized(alpha, errors.tile_px).numpy()
    return torch.from_numpy(np.stack([_worse(*each, errors, rng) for each in zip(small, masks)])).float()


def _worse(tile: np.ndarray, alpha: np.ndarray, errors: FirstStageErrors, rng: np.random.Generator) -> np.ndarray:
    side = tile.shape[-1]
    px, (blur, warp, gain, blotches) = side / _REFERENCE_PX, rng.random(4)
    both = np.concatenate([tile, alpha])
    if errors.warp_px:
        field = errors.warp_px * warp * px * smooth_field((side, side), errors.smoothness_px * px, rng)
        rows, columns = np.indices((side, side)) + field + 0.5
        places = np.stack([columns.ravel(), rows.ravel()], axis=1)
        both = bilinear(both.transpose(1, 2, 0), places).T.reshape(both.shape)
    if errors.blur_px:
        sigma = errors.blur_px * blur * px
        both = gaussian_filter(both, (0, sigma, sigma), mode="nearest")
    tile, alpha = both[:3], both[3:]
    change = errors.gain * gain * (rng.uniform(-1, 1) + rng.uniform(-1, 1, (3, 1, 1)) / 3)
    tile = tile * (1 + change * alpha)
    if errors.blotches:
        grain = gaussian_filter(rng.normal(size=tile.shape), (0, *(errors.grain_px * px,) * 2))
        tile = tile + errors.blotches * blotches * alpha * grain / max(float(grain.std()), 1e-6)
    return np.clip(tile, 0, 1).astype(np.float32)


def drawn_tiles(folder: str, key: str, background: int) -> torch.Tensor | None:
    """The tiles (6, 3, S, S) in [0, 1] of a first stage's sheet ``key``.png; None where it has none."""
    from PIL import Image

    file = Path(folder) / f"{key}.png"
    if not file.is_file():
        return None
    try:
        with Image.open(file) as picture:
            sheet = picture.convert("RGBA" if "A" in picture.mode else "RGB")
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read the first stage's sheet {file}: {error}") from error
    return torch.from_numpy(first_stage_tiles(sheet, sheet.width // 2, background)).permute(0, 3, 1, 2)
