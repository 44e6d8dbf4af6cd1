"""A tiny run of each stage, which compiles its kernels into Numba's cache: `python -m ...exercises texture fit`.

The same types go through the kernels as in a real run, whatever the sizes.
"""

import json
import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.cameras import pixel_rays
from zero123pp.rigs import get_rig
from zero123pp.types import Camera, Mesh, MultiView, View

if TYPE_CHECKING:
    from zero123pp.pipelines.image_to_mesh import ImageTo3D

_SMALL = (
    *("fit.steps=6", "fit.levels=[24]", "clean.faces=300", "texture.size=64", "cutout.size_px=96"),
    *("cutout.method=alpha", "refine.steps=1", "refine.pixels=48"),
)
_RADIUS, _SIZE_PX = 0.35, 64


def texture() -> None:
    """Unwrapping, baking, and the check against the views."""
    from zero123pp.recon.metrics import agreement

    views = ball_views()
    agreement(_pipe("inflated").texture(ball_mesh(), views), views.views)


def fit() -> None:
    """From views to a mesh, with the align stage."""
    pipe, views = _pipe("inflated"), ball_views()
    pipe.fit(pipe.align_views(views))


def normals() -> None:
    """The same for views with normals, whose mesh is refined."""
    _pipe("inflated").fit(ball_views(with_normals=True))


def picture() -> None:
    """One picture, with the bundled networks, and its registration to views of another source."""
    pipe, front = _pipe("preview"), ball_view(get_rig("v1.2").cameras(_SIZE_PX)[0])
    rgba = (np.dstack([front.rgb, front.alpha]) * 255).astype(np.uint8)
    pipe(rgba)
    pipe.register_input_view(pipe.cutout(rgba), ball_mesh(), ball_views())


EXERCISES: dict[str, Callable[[], None]] = {each.__name__: each for each in (texture, fit, normals, picture)}
"""By name; each stands for itself."""


def main() -> None:
    """Run the exercises that the command line names; prints a line of JSON for each kernel when all are done."""
    from zero123pp.pipelines.commands.first_run import compiled_kernels

    with compiled_kernels() as compiled:
        for name in sys.argv[1:]:
            EXERCISES[name]()
    for name, seconds in compiled.items():
        sys.stdout.write(json.dumps({"kernel": name, "seconds": seconds}) + "\n")


@cache
def _pipe(model: str) -> "ImageTo3D":
    from zero123pp.pipelines.image_to_mesh import ImageTo3D

    return ImageTo3D.from_pretrained(model, overrides=_SMALL)


def ball_views(with_normals: bool = False) -> MultiView:
    """Six views of a ball, as a model would draw them."""
    cameras = get_rig("v1.2").cameras(_SIZE_PX)
    return MultiView(tuple(ball_view(camera, with_normals) for camera in cameras), source="exercise", rig="v1.2")


def ball_view(camera: Camera, with_normals: bool = False) -> View:
    """A ball round the origin with a colour for each direction, edges anti-aliased."""
    origin, directions = pixel_rays(camera)
    closest = origin - (directions @ origin)[..., None] * directions  # to the centre, on the ray
    off = np.linalg.norm(closest, axis=-1) - _RADIUS
    alpha = np.clip(0.5 - off * camera.fx / np.linalg.norm(origin), 0, 1)
    normal = np.broadcast_to(np.array([0.0, 0.0, 1.0]), closest.shape)
    return View(np.clip(0.5 + closest, 0, 1), alpha, camera, normal=normal if with_normals else None)


def ball_mesh(count: int = 400) -> Mesh:
    """The same ball as a closed mesh, its vertices on a spiral."""
    from scipy.spatial import ConvexHull

    height = 1 - 2 * (np.arange(count) + 0.5) / count
    turn, across = np.pi * (1 + 5**0.5) * np.arange(count), np.sqrt(1 - height**2)
    points = _RADIUS * np.stack([across * np.cos(turn), height, across * np.sin(turn)], axis=1)
    faces = ConvexHull(points).simplices
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    inward = np.einsum("nc,nc->n", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, ::-1]
    return Mesh(points.astype(np.float32), faces.astype(np.int32))


if __name__ == "__main__":
    main()
