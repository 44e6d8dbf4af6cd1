"""The objective of refinement by a rasteriser that torch differentiates, on any device."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from zero123pp.recon.refine.target import Target


class TorchObjective:
    """Loss and gradients as of `zero123pp.recon.refine.objective.Objective`; everything but the mesh stays there."""

    def __init__(
        self, targets: Sequence[Target], faces: np.ndarray, drawer: Callable, device: str, dtype: str = "float32"
    ) -> None:
        """``drawer``: a class such as `zero123pp.recon.ops.raster.antialias.DifferentiableRasterizer`."""
        self._like = {"device": device, "dtype": getattr(torch, dtype)}
        self._faces = torch.tensor(faces, device=device).long()
        self._draw = drawer(self._faces)
        arrays = ((each.picture, each.weight, each.scale, each.normal, each.normal_weight) for each in targets)
        self._targets = [[torch.as_tensor(array, **self._like) for array in of_view] for of_view in arrays]
        self._cameras = [target.camera for target in targets]

    def __call__(self, vertices: np.ndarray, colors: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss, and its derivatives (N, 3) by the vertices (N, 3) and by the colours (N, 3)."""
        x, c = (torch.as_tensor(each, **self._like).requires_grad_() for each in (vertices, colors))
        first, second, third = (x[self._faces[:, i]] for i in range(3))
        normals = torch.nn.functional.normalize(torch.linalg.cross(second - first, third - first), dim=1, eps=1e-20)
        loss = torch.zeros((), **self._like)
        for camera, (wanted, weight, scale, normal, normal_weight) in zip(self._cameras, self._targets):
            picture, face = self._draw(x, c, camera)
            residual = picture - wanted
            root = (1 + (residual / scale) ** 2).sqrt()
            seen = face >= 0
            apart = ((normals[face[seen]] - normal[seen]) ** 2).sum(1)
            loss = loss + (weight * 2 * residual**2 / (root + 1)).sum() + (normal_weight[seen] * apart).sum()
        found = torch.autograd.grad(loss, (x, c))
        return loss.item(), *(each.double().cpu().numpy() for each in found)
