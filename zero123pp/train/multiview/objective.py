"""What the network learns to predict, and how much each noise level counts.

Everything is written in ``sigma = sqrt((1 - abar) / abar)`` of `zero123pp.diffusion.schedule`, as sampling is. Clean
latents ``z``, noise ``e``, noised latents ``x = (z + sigma e) / sqrt(sigma^2 + 1)``, which is DDPM's
``sqrt(abar) z + sqrt(1 - abar) e`` and `zero123pp.diffusion.reference.noised_reference`.
"""

from typing import Literal

import torch

Prediction = Literal["v", "epsilon", "x0"]
"""What the network gives; Zero123++ predicts v, the others are there to be compared with it (report, figure 5)."""


def target(kind: Prediction, clean: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """What the network should give: ``v = (e - sigma z) / sqrt(sigma^2 + 1)`` (Salimans and Ho 2022, appendix D).

    Args:
        kind: of the prediction.
        clean: (batch, C, h, w) latents in diffusion space.
        noise: likewise.
        sigma: (batch,) noise levels.
    """
    if kind == "v":
        s = _beside(sigma, clean)
        return (noise - s * clean) / (s**2 + 1) ** 0.5
    return noise if kind == "epsilon" else clean


def clean_of(kind: Prediction, prediction: torch.Tensor, noised: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The clean latents that a prediction stands for, the inverse of `target`."""
    s = _beside(sigma, noised)
    scale = (s**2 + 1) ** 0.5
    if kind == "v":
        return noised / scale - prediction * s / scale
    return noised * scale - s * prediction if kind == "epsilon" else prediction


def min_snr_weight(sigma: torch.Tensor, gamma: float, kind: Prediction = "v") -> torch.Tensor:
    """Weights (batch,) of the squared errors (Hang et al. 2023, arXiv 2303.09556, section 3.4).

    ``min(SNR, gamma)`` for z, over ``SNR`` for e and over ``SNR + 1`` for v, with ``SNR = 1 / sigma^2``.
    """
    snr = 1 / sigma**2
    capped = snr.clamp(max=gamma)
    return {"v": capped / (snr + 1), "epsilon": capped / snr, "x0": capped}[kind]


def squared_errors(prediction: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean squared error of each sample (batch,), in single precision."""
    return (prediction.float() - wanted.float()).pow(2).flatten(1).mean(1)


def weighted_loss(
    errors: torch.Tensor, sigma: torch.Tensor, gamma: float, kind: Prediction = "v", floor: float = 0.0
) -> torch.Tensor:
    """The loss of a batch from its samples' `squared_errors`, see `min_snr_weight`.

    ``gamma`` 0 counts all noise levels alike; no level counts less than ``floor``.
    """
    return errors.mean() if gamma == 0 else (min_snr_weight(sigma, gamma, kind).clamp(min=floor) * errors).mean()


def _beside(sigma: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    return sigma.view(-1, *[1] * (latents.ndim - 1)).to(latents)
