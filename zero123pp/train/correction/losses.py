"""Losses of the network that corrects a fitted surface."""

import torch

from zero123pp.train.correction.network import Reading

_SMOOTH = 1e-3
"""Under the root: the loss is round at no difference."""
MOST_OFF = 4.0
"""Voxels; more than this the surface is not moved at once."""
_WEIGHTS = {"normal": 1.0, "normal_likelihood": 0.1, "offset": 0.25, "offset_likelihood": 0.05}


def correction_loss(
    reading: Reading, normals: torch.Tensor, offsets: torch.Tensor, seen: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Scalars, means over what is seen: one for each of `_WEIGHTS`, and their weighted sum ``loss``.

    Normals are compared by the length of the difference of unit vectors, which counts outliers less than its square;
    likelihoods are of Laplace distributions with the scale that the network expects (Kendall and Gal 2017).

    Args:
        reading: of the network.
        normals: (B, 3, H, W) true ones, unit, in the camera's axes.
        offsets: (B, H, W) depth of the true surface less that of the fitted one, voxels.
        seen: (B, H, W) 1 where the surface is seen and the truth is known, else 0.
    """
    cosine = (reading.normal * normals).sum(1).clamp(-1, 1)
    chord = torch.sqrt((2 - 2 * cosine).clamp(min=0) + _SMOOTH)
    distance = torch.sqrt((reading.offset - offsets.clamp(-MOST_OFF, MOST_OFF)) ** 2 + 10 * _SMOOTH)
    each = {
        "normal": chord,
        "normal_likelihood": _likelihood(chord, reading.log_error),
        "offset": distance,
        "offset_likelihood": _likelihood(distance, reading.log_offset_error),
    }
    count = seen.sum().clamp(min=1)
    means = {name: (values * seen).sum() / count for name, values in each.items()}
    return means | {"loss": sum(weight * means[name] for name, weight in _WEIGHTS.items())}


def _likelihood(error: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    """Negative logarithm, but for a constant; only the scale is moved by it."""
    log_scale = log_scale.clamp(-5, 3)
    return error.detach() * torch.exp(-log_scale) + log_scale
