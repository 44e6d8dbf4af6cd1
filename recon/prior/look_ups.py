"""Look-ups of the shape prior in pictures, in torch: for training, and the specification of `kernels`."""

import torch
from torch.nn import functional

from zero123pp.recon.prior.kernels import LEAST_DEVIATION, NEAREST_DEPTH


def voxel_centres(size: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """(size^3, 3) in [-1, 1]^3, x slowest."""
    axis = (torch.arange(size, device=device) + 0.5) / size * 2 - 1
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)


def statistics_at(maps: torch.Tensor, matrices: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Mean, deviation and maximum over the pictures of what they show at points; 0 outside of a picture.

    Args:
        maps: (B, V, C, H, W).
        matrices: (B, V, 3, 4) float32; take homogeneous points to (u w, v w, w), u and v in [-1, 1] over the picture.
        points: (B, N, 3) float32.

    Returns:
        (B, N, 3 C) of the maps' type.
    """
    batch, views, channels, height, width = maps.shape
    seen = torch.einsum("bvij,bnj->bvni", matrices[..., :3], points) + matrices[..., None, :, 3]
    uv = seen[..., :2] / seen[..., 2:].clamp(min=NEAREST_DEPTH)
    found = functional.grid_sample(
        maps.float().reshape(batch * views, channels, height, width),
        uv.reshape(batch * views, 1, -1, 2),
        align_corners=False,
    )
    found = found.reshape(batch, views, channels, -1)
    return _Statistics.apply(found).transpose(1, 2).to(maps.dtype)


def outline_at(outlines: torch.Tensor, matrices: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Signed distances of points from the cones of the outlines: the largest over the pictures, and the second.

    The largest is, to first order, the distance from the visual hull (`zero123pp.recon.fitting.hull`); where pictures
    contradict each other, the second is that of a hull which one of them may leave.

    Args:
        outlines: (B, V, H, W) of `framing.picture_outline`.
        matrices: as for `statistics_at`.
        points: (B, N, 3) float32.

    Returns:
        (B, N, 2) float32, half sides of the cube, negative inside; twice the same for one picture.
    """
    batch, views, height, width = outlines.shape
    seen = torch.einsum("bvij,bnj->bvni", matrices[..., :3], points) + matrices[..., None, :, 3]
    depth = seen[..., 2].clamp(min=NEAREST_DEPTH)  # (B, V, N)
    found = functional.grid_sample(
        outlines.reshape(batch * views, 1, height, width),
        (seen[..., :2] / depth[..., None]).reshape(batch * views, 1, -1, 2),
        align_corners=False, padding_mode="border",
    ).reshape(batch, views, -1)  # fmt: skip
    across, ahead = matrices[..., 0, :3], matrices[..., 2, :3]
    across = across - (across * ahead).sum(-1, keepdim=True) / (ahead**2).sum(-1, keepdim=True) * ahead
    distances = found * depth / across.norm(dim=-1)[..., None]
    if views == 1:
        return distances.movedim(1, -1).expand(-1, -1, 2)
    return distances.topk(2, dim=1).values.movedim(1, -1)


class _Statistics(torch.autograd.Function):
    """(B, V, C, N) to mean, deviation and maximum over V, (B, 3 C, N); several times faster than composed of parts."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, found: torch.Tensor) -> torch.Tensor:
        if found.shape[1] == 1:
            context.views = 1
            return torch.cat([found[:, 0], torch.full_like(found[:, 0], LEAST_DEVIATION), found[:, 0]], 1)
        context.views = found.shape[1]
        mean, squares = found[:, 0].clone(), found[:, 0].square()
        largest, place = found[:, 0].clone(), torch.zeros_like(mean, dtype=torch.int8)
        for view in range(1, context.views):
            values = found[:, view]
            mean += values
            squares.addcmul_(values, values)
            larger = values > largest
            largest = torch.where(larger, values, largest)
            place.masked_fill_(larger, view)
        mean /= context.views
        deviation = (squares / context.views - mean.square()).clamp_(min=LEAST_DEVIATION**2).sqrt_()
        context.save_for_backward(found, mean, deviation, place)
        return torch.cat([mean, deviation, largest], 1)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> torch.Tensor:
        of_mean, of_deviation, of_largest = gradient.chunk(3, 1)
        if context.views == 1:
            return (of_mean + of_largest)[:, None]
        found, mean, deviation, place = context.saved_tensors
        result = torch.empty_like(found)
        slope = of_deviation / (deviation * context.views)
        offset = of_mean / context.views - slope * mean
        for view in range(context.views):
            torch.addcmul(offset, slope, found[:, view], out=result[:, view])
            result[:, view].add_(of_largest * (place == view))
        return result
