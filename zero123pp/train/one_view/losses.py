"""What the network is asked for: points, slopes, normals, colours, the way up, and how sure it is."""

import torch
from torch.nn import functional

from zero123pp.train.one_view.network import Reading

WEIGHTS = {
    "front": 1.2, "back": 1.2, "upright": 0.5, "slope": 2.0, "front_normal": 0.35, "back_normal": 0.3,
    "back_rgb": 0.3, "up": 0.5, "lens": 0.05, "gap": 0.5, "inner": 0.3, "error": 0.03, "foreground": 0.1,
}  # fmt: skip
_LEAST_GAP = 0.04
"""Air thinner than this, half sides of the crop, is no gap."""
_EDGE = 0.12
"""A larger step of depth between neighbouring pixels is an edge, not a slope."""


def losses(reading: Reading, truth: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each of `WEIGHTS`, unweighted; ``truth`` holds the fields of a batch of `samples.Sample`."""
    wanted = torch.nan_to_num(truth["layers"])
    met = torch.isfinite(truth["layers"][:, 0])
    mask = met.float()
    size = met.shape[-1]
    front, second, third, back = reading.layers.unbind(1)
    out = {
        "front": _mean((front - wanted[:, 0]).abs(), mask),
        "back": _mean((back - wanted[:, 3]).abs(), mask),
        "upright": _upright(reading, wanted, mask, truth),
        "slope": _slopes(front, wanted[:, 0], mask) + _slopes(back, wanted[:, 3], mask),
        "front_normal": _mean(1 - (reading.front_normal * truth["normals"][:, :3]).sum(1), mask),
        "back_normal": _mean(1 - (reading.back_normal * truth["normals"][:, 3:]).sum(1), mask),
        "back_rgb": _mean((reading.back_rgb - truth["back_rgb"]).abs().mean(1), mask),
    }
    # Objects that lie anyhow have a way up too, but fewer of them show it.
    turned = (1 - (reading.up * truth["up"]).sum(1)).clamp(min=0)
    weight = 0.3 + 0.7 * truth["usual"]
    out["up"] = (weight * (turned + 1e-4).sqrt()).mean()
    lens = torch.log(reading.tan_half_fov / truth["tan_half_fov"])
    out["lens"] = functional.smooth_l1_loss(lens, torch.zeros_like(lens), beta=0.2)
    known = (torch.isfinite(truth["layers"][:, 1]) & met).float()
    is_gap = known * (wanted[:, 2] - wanted[:, 1] > _LEAST_GAP)
    # Gaps are a tenth of the pixels; without the weight the head never says yes.
    cost = functional.binary_cross_entropy_with_logits(reading.gap, is_gap, reduction="none")
    out["gap"] = _mean(cost * (1 + 1.5 * is_gap), known)
    inner = (second - wanted[:, 1]).abs() + (third - wanted[:, 2]).abs()
    out["inner"] = (inner * is_gap).sum() / is_gap.sum().clamp(min=0.02 * size * size)
    # A Laplace likelihood of the front; its error is taken as given, so that it only calibrates the confidence.
    miss = (front - wanted[:, 0]).abs().detach()
    out["error"] = _mean(miss * torch.exp(-reading.log_error) + reading.log_error, mask)
    out["foreground"] = functional.binary_cross_entropy_with_logits(reading.foreground, truth["alpha"])
    return out


def weighted(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weighted sum."""
    return sum(WEIGHTS[name] * value for name, value in parts.items())


def _mean(value: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean over each picture's weighted pixels, then over the pictures."""
    return ((value * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)).mean()


def _slopes(depth: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    size, out = depth.shape[-1], 0.0
    for axis in (1, 2):
        ahead, here = slice(1, size), slice(0, size - 1)
        first = (slice(None), ahead) if axis == 1 else (slice(None), slice(None), ahead)
        second = (slice(None), here) if axis == 1 else (slice(None), slice(None), here)
        step = wanted[first] - wanted[second]
        weight = mask[first] * mask[second] * (step.abs() < _EDGE)
        # Per pixel of a crop of 128, so that the weight of this does not hang on the resolution.
        out = out + _mean((depth[first] - depth[second] - step).abs() * (size / 128), weight)
    return out


def _upright(
    reading: Reading, wanted: torch.Tensor, mask: torch.Tensor, truth: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Distance of the points of front and back, each set in the upright frame of its own way up.

    So tilt of the surface and elevation are paid for together; only objects that stand as usual.
    """
    size = mask.shape[-1]
    at = (torch.arange(size, device=mask.device) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(at, at, indexing="ij")
    k = truth["tan_half_fov"][:, None, None]
    mine, true = upright_frame(reading.up), upright_frame(truth["up"])
    out = 0.0
    for layer in (0, 3):
        points = _points(reading.layers[:, layer], u, v, k)
        targets = _points(wanted[:, layer], u, v, k)
        apart = torch.einsum("bij,bjhw->bihw", mine, points) - torch.einsum("bij,bjhw->bihw", true, targets)
        each = (apart.abs().sum(1) * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)
        out = out + (each * truth["usual"]).mean()
    return out


def _points(depth: torch.Tensor, u: torch.Tensor, v: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S) places in half sides of the crop, the object's plane being at z = 0."""
    spread = 1 + k * depth
    return torch.stack([u * spread, v * spread, depth], 1)


def upright_frame(up: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) from the camera's frame to one whose y is ``up`` (B, 3) and whose x is the camera's, levelled."""
    x = torch.zeros_like(up)
    x[:, 0] = 1
    x = functional.normalize(x - (x * up).sum(1, keepdim=True) * up, dim=1, eps=1e-3)
    return torch.stack([x, up, torch.linalg.cross(x, up)], 1)
