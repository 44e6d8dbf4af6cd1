"""The objective of refinement by a rasteriser that torch differentiates, on any device."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from zero123pp.recon.refine.objective import Target


class TorchObjective:
    """Loss and gradients as of `zero123pp.recon.refine.objective.Objective`; everything but the mesh stays there."""

    def __init__(
        self, targets: Sequence[Target], faces: np.ndarray, drawer: Callable, device: str, dtype: str = "float32"
    ) -> None:
        """``drawer``: a class such as `zero123pp.recon.ops.raster.antialias.Drawer`."""
        self._like = {"device": device, "dtype": getattr(torch, dtype)}
        self._faces = torch.tensor(faces, device=device).long()
        self._draw = drawer(self._faces)
        arrays = ((each.picture, each.weight, each.scale) for each in targets)
        self._targets = [[torch.as_tensor(array, **self._like) for array in three] for three in arrays]
        self._cameras = [target.camera for target in targets]
        self._normals = targets[0].picture.shape[-1] == 7

    def __call__(self, vertices: np.ndarray, colors: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss, and its derivatives (N, 3) by the vertices (N, 3) and by the colours (N, 3)."""
        x, c = (torch.as_tensor(each, **self._like).requires_grad_() for each in (vertices, colors))
        values = torch.cat([c, self._vertex_normals(x)], dim=1) if self._normals else c
        loss = torch.zeros((), **self._like)
        for camera, (picture, weight, scale) in zip(self._cameras, self._targets):
            residual = self._draw(x, values, camera) - picture
            root = (1 + (residual / scale) ** 2).sqrt()
            loss = loss + (weight * 2 * residual**2 / (root + 1)).sum()
        found = torch.autograd.grad(loss, (x, c))
        return loss.item(), *(each.double().cpu().numpy() for each in found)

    def _vertex_normals(self, vertices: torch.Tensor) -> torch.Tensor:
        """See `zero123pp.recon.refine.vertex_normals.vertex_normals`."""
        a, b, c = (vertices[self._faces[:, i]] for i in range(3))
        crosses = torch.linalg.cross(b - a, c - a).repeat_interleave(3, dim=0)
        sums = torch.zeros_like(vertices).index_add(0, self._faces.reshape(-1), crosses)
        return torch.nn.functional.normalize(sums, dim=1, eps=1e-20)
