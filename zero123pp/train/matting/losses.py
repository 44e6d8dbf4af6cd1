"""Losses of the cutout network."""

import torch
from torch.nn import functional


def matting_loss(logits: torch.Tensor, coarse_logits: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy, soft IoU and gradient difference at full size, cross entropy at the coarse head.

    Args:
        logits: (B, 1, H, W).
        coarse_logits: (B, 1, H/8, W/8).
        alpha: true alpha (B, 1, H, W) in [0, 1].

    Returns:
        Scalar, float32.
    """
    logits, coarse_logits = logits.float(), coarse_logits.float()
    predicted = logits.sigmoid()
    edge = 1 - (2 * functional.avg_pool2d(alpha, 7, 1, 3, count_include_pad=False) - 1).abs()  # 1 at the outline
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, alpha, weight=1 + 2 * edge)
    coarse_alpha = functional.avg_pool2d(alpha, alpha.shape[-1] // coarse_logits.shape[-1])
    coarse = functional.binary_cross_entropy_with_logits(coarse_logits, coarse_alpha)
    return cross_entropy + soft_iou_loss(predicted, alpha) + 2 * gradient_loss(predicted, alpha) + 0.5 * coarse


def soft_iou_loss(predicted: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """One minus the mean of intersection over union, products in place of minima (Mattyus et al. 2017)."""
    intersection = (predicted * alpha).sum((1, 2, 3))
    union = (predicted + alpha - predicted * alpha).sum((1, 2, 3))
    return 1 - ((intersection + 1) / (union + 1)).mean()


def gradient_loss(predicted: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of the horizontal and vertical differences."""
    along_x = (predicted.diff(dim=-1) - alpha.diff(dim=-1)).abs().mean()
    return along_x + (predicted.diff(dim=-2) - alpha.diff(dim=-2)).abs().mean()
