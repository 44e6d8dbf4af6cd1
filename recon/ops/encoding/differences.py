"""Slopes of an encoding by central differences, for back-ends that give none, and for smoother normals.

Li et al., "Neuralangelo", CVPR 2023, section 3.2: a difference over a step also moves the entries of the neighbouring
cells, so that slopes of fine levels agree from cell to cell.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def encode_with_differences(encode: Callable[[Tensor], Tensor], points: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Features (P, C) of points (P, 3) in [0, 1], and their slopes (P, 3, C) from six more look-ups.

    Args:
        encode: points to features.
        points: where.
        step: from the point to each side, in units of the cube; cut off at its faces.
    """
    shift = step * torch.eye(3, dtype=points.dtype, device=points.device)
    ahead, behind = (points[:, None] + shift).clamp(0, 1), (points[:, None] - shift).clamp(0, 1)  # [P, 3, 3]
    places = torch.cat([points[:, None], ahead, behind], 1)  # [P, 7, 3]
    features = encode(places.reshape(-1, 3)).reshape(len(points), 7, -1)
    width = torch.diagonal(ahead - behind, dim1=1, dim2=2)[..., None]  # [P, 3, 1]
    return features[:, 0], (features[:, 1:4] - features[:, 4:]) / width
