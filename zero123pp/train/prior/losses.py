"""What the shape prior is trained for."""

import torch
from torch.nn import functional

from zero123pp.recon.prior import ELEVATION_UNIT_DEG, SOFTNESS, ShapePrior

WEIGHTS = {"sdf": 1.0, "rgb": 0.3, "normal": 0.3, "elevation": 0.1}


def prior_losses(
    network: ShapePrior, batch: dict[str, torch.Tensor], grid: int | None = None
) -> dict[str, torch.Tensor]:
    """Unweighted losses of a batch of `zero123pp.train.prior.dataset`, and the overlap 'iou' of the insides.

    The overlap is that of the points not too near to the surface.

    The distance's is a cross-entropy of how solid the points are (Mescheder et al., "Occupancy networks", CVPR 2019,
    eq. 3, of softened truths, less what those cost themselves). The surface then lies where solid and empty are as
    likely, and distances shrink where the pictures leave the shape open. An absolute error of distances has the same
    surface, but is so flat around it wherever the network is unsure that noise decides.
    """
    dtype = next(network.parameters()).dtype
    pictures, matrices = batch["pictures"], batch["matrices"]
    count, views = pictures.shape[:2]
    flat = pictures.flatten(0, 1).to(dtype, memory_format=torch.channels_last)
    maps, normals, elevation = network.encoder(flat)
    maps = maps.reshape(count, views, *maps.shape[1:])
    volume = network.encode_volume(maps, batch["outlines"], matrices, grid)
    places = torch.cat([batch["points"], batch["surface"]], 1)
    distances, colors = network.decode(volume, maps, batch["outlines"], matrices, places)
    free = batch["points"].shape[1]
    distances, true = distances[:, :free], batch["sdf"]
    clear = true.abs() > SOFTNESS
    return {
        "sdf": _solidity_loss(distances, true),
        "rgb": (colors[:, free:] - batch["surface_rgb"]).abs().mean(),
        "normal": _normal_loss(normals.float(), batch["normals"].flatten(0, 1), flat[:, 3].float()),
        "elevation": _elevation_loss(elevation.float(), batch["elevation"].flatten()),
        "iou": overlap((distances.detach() < 0) & clear, (true < 0) & clear),
    }


def _solidity_loss(distances: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    logits, solid = -distances / SOFTNESS, torch.sigmoid(-true / SOFTNESS)
    own = functional.binary_cross_entropy_with_logits(-true / SOFTNESS, solid, reduction="none")
    return (functional.binary_cross_entropy_with_logits(logits, solid, reduction="none") - own).mean()


def _normal_loss(predicted: torch.Tensor, target: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """One minus the cosine plus the absolute error over the pixels on the object whose normal is known."""
    length = target.norm(dim=1)
    known = (alpha > 0.5) & (length > 0.7)
    unit = target / length.clamp(min=1e-3)[:, None]
    cosine = functional.cosine_similarity(predicted, unit, dim=1, eps=1e-3)
    error = (1 - cosine) + (predicted - unit).abs().mean(1)
    return (error * known).sum() / known.sum().clamp(min=1)


def _elevation_loss(predicted: torch.Tensor, target_deg: torch.Tensor) -> torch.Tensor:
    known = ~target_deg.isnan()
    error = functional.smooth_l1_loss(
        predicted, target_deg.nan_to_num() / ELEVATION_UNIT_DEG, reduction="none", beta=0.2
    )
    return (error * known).sum() / known.sum().clamp(min=1)


def weighted(losses: dict[str, torch.Tensor]) -> torch.Tensor:
    """Their sum with `WEIGHTS`."""
    return sum(weight * losses[name] for name, weight in WEIGHTS.items())


def overlap(inside: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Mean intersection over union of (B, N) bool."""
    return ((inside & true).sum(1) / (inside | true).sum(1).clamp(min=1)).mean()
