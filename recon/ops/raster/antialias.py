"""The differentiable reference: interpolation and anti-aliasing of silhouettes in plain torch.

Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", sections 3.3 and 3.5. What is
seen where (`Visibility`) is found without gradients. With it fixed, the picture is a smooth function of the vertices
in two ways: surface points slide below the pixel centres, which changes the interpolated values, and silhouette edges
slide between pixel centres, which changes how two pixels blend.

With t the distance in pixels from the owner's centre to the silhouette edge, the edge lies in the other pixel's half
where t > 1/2: the other pixel then takes (t - 1/2) of the owner's value, and below 1/2 the owner takes (1/2 - t) of
the other's. So a straight edge in a row or column gives exactly the covered area, and everywhere its derivative.
"""

from dataclasses import dataclass

import numpy as np
import torch

from zero123pp.recon.ops.raster import rasterize, torch_visibility
from zero123pp.recon.ops.raster.crossings import REACH, edge_neighbours, find_crossings
from zero123pp.recon.ops.raster.zbuffer import intrinsic_matrix, screen_points
from zero123pp.types import Camera


def cause() -> None:
    """It works wherever torch does."""


@dataclass(frozen=True)
class Visibility:
    """What is seen where, without gradients: tensors on one device."""

    face: torch.Tensor
    """(H, W) int64 triangle of each pixel, -1 for none."""
    owner: torch.Tensor
    """(K,) int64 flat pixels, see `zero123pp.recon.ops.raster.crossings.Crossings`."""
    other: torch.Tensor
    """(K,) int64."""
    edge: torch.Tensor
    """(K, 2) int64 vertices."""


def draw(
    vertices: torch.Tensor, faces: torch.Tensor, values: torch.Tensor, camera: Camera, *, visibility: str = "auto",
    reach: int = REACH,
) -> torch.Tensor:  # fmt: skip
    """Anti-aliased picture of vertex values, differentiable in vertices and values.

    Args:
        vertices: (N, 3) world frame.
        faces: (F, 3) integer.
        values: (N, C) interpolated over the triangles; nothing is drawn with the value 0.
        camera: the viewer.
        visibility: the rasteriser, a key of `zero123pp.recon.ops.raster.BACKENDS`, "torch" or "auto", see `see`.
        reach: see `zero123pp.recon.ops.raster.crossings.find_crossings`; 0 is the rule of the paper.

    Returns:
        (H, W, C + 1): the values, premultiplied by coverage, and the coverage.
    """
    return shade(vertices, faces, values, camera, see(vertices, faces, camera, visibility, reach))


class DifferentiableRasterizer:
    """Draws one mesh again and again, as `draw` does."""

    def __init__(self, faces: torch.Tensor) -> None:
        """Prepare for faces (F, 3)."""
        self._faces = faces.long()

    def __call__(
        self, vertices: torch.Tensor, values: torch.Tensor, camera: Camera
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The picture (H, W, C + 1), and the triangle (H, W) int64 that each pixel sees, -1 for none."""
        seen = see(vertices, self._faces, camera)
        return shade(vertices, self._faces, values, camera, seen), seen.face


def see(
    vertices: torch.Tensor, faces: torch.Tensor, camera: Camera, backend: str = "auto", reach: int = REACH
) -> Visibility:
    """What ``camera`` sees of the mesh; arguments as of `draw`.

    "auto" looks with Numba on the processor and with torch elsewhere, so that nothing leaves the device.
    """
    if backend == "torch" or (backend == "auto" and vertices.device.type != "cpu"):
        return _seen_by_torch(vertices, faces, camera, reach)
    positions, triangles = vertices.detach().cpu().double().numpy(), faces.cpu().numpy().astype(np.int32)
    fragments = rasterize(positions, triangles, camera, backend)
    points = screen_points(positions, camera)
    found = find_crossings(points, triangles, edge_neighbours(triangles), fragments.face, fragments.depth, reach)
    tensors = (fragments.face, found.owner, found.other, found.edge)
    return Visibility(*(torch.as_tensor(each, dtype=torch.int64, device=vertices.device) for each in tensors))


@torch.no_grad()
def _seen_by_torch(vertices: torch.Tensor, faces: torch.Tensor, camera: Camera, reach: int) -> Visibility:
    points, triangles = to_screen(vertices.double(), camera), faces.long()
    face, depth = torch_visibility.rasterize(points, triangles, camera.width, camera.height)
    neighbours = torch.as_tensor(edge_neighbours(faces.cpu().numpy()), dtype=torch.int64, device=faces.device)
    return Visibility(face, *torch_visibility.find_crossings(points, triangles, neighbours, face, depth, reach))


def shade(
    vertices: torch.Tensor, faces: torch.Tensor, values: torch.Tensor, camera: Camera, seen: Visibility
) -> torch.Tensor:
    """The picture (H, W, C + 1) of `draw` with the visibility given."""
    points = to_screen(vertices, camera)  # (N, 3)
    height, width = seen.face.shape
    covered = torch.nonzero(seen.face.reshape(-1) >= 0)[:, 0]  # (n,) flat pixels
    corners = faces.long()[seen.face.reshape(-1)[covered]]  # (n, 3)
    weights = barycentric(points[corners], covered, width)
    shown = (weights[..., None] * values[corners]).sum(1)  # (n, C)
    shown = torch.cat([shown, torch.ones_like(shown[:, :1])], dim=1)
    picture = shown.new_zeros(height * width, shown.shape[1]).index_copy(0, covered, shown)
    return blend(picture, points, seen, width).reshape(height, width, -1)


def to_screen(vertices: torch.Tensor, camera: Camera) -> torch.Tensor:
    """Homogeneous screen points (N, 3), as `zero123pp.recon.ops.raster.zbuffer.screen_points`."""
    projection = intrinsic_matrix(camera) @ camera.world_from_cam[:3, :3].T
    return (vertices - vertices.new_tensor(camera.world_from_cam[:3, 3])) @ vertices.new_tensor(projection).T


def barycentric(corners: torch.Tensor, pixels: torch.Tensor, width: int) -> torch.Tensor:
    """Perspective-correct weights (n, 3) of triangles (n, 3, 3), homogeneous on screen, at flat pixels (n,).

    The edge functions of `zero123pp.recon.ops.raster.zbuffer`, divided by their sum.
    """
    a, b, c = corners.unbind(1)
    x, y = pixels % width + 0.5, torch.div(pixels, width, rounding_mode="floor") + 0.5
    centre = torch.stack([x, y, torch.ones_like(x)], dim=1).to(corners.dtype)
    edges = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1)
    areas = (edges * centre[:, None]).sum(-1)
    return areas / areas.sum(1, keepdim=True)


def blend(picture: torch.Tensor, points: torch.Tensor, seen: Visibility, width: int) -> torch.Tensor:
    """The flat picture (H W, C) with pixels blended where a silhouette edge passes between two centres."""
    step = seen.other - seen.owner
    in_row = step.abs() == 1
    screen = points[seen.edge]  # (K, 2, 3)
    screen = screen[..., :2] / screen[..., 2:]
    screen = torch.where(in_row[:, None, None], screen, screen.flip(-1))  # (K, 2 ends, along and across the pair)
    column, row = seen.owner % width, torch.div(seen.owner, width, rounding_mode="floor")
    along = torch.where(in_row, column, row) + 0.5
    across = torch.where(in_row, row, column) + 0.5
    (p_along, p_across), (q_along, q_across) = screen[:, 0].unbind(1), screen[:, 1].unbind(1)
    share = (across - p_across) / (q_across - p_across)
    t = (p_along + share * (q_along - p_along) - along) * step.sign()  # (K,) distance from the owner's centre
    beyond = t - 0.5
    change = beyond[:, None] * (picture[seen.owner] - picture[seen.other])
    return picture.index_add(0, torch.where(beyond > 0, seen.other, seen.owner), change)
