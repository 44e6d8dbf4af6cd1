"""The input picture as one more view: where its camera stood is found by comparing it with the mesh of the others.

Generated views are small and repeat the picture's details only roughly; texels that the picture sees had better come
from it. Its azimuth is 0 by the definition of the rigs; elevation, distance, focal length and crop are unknown.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from zero123pp.cameras import look_at, orbit_position, project
from zero123pp.errors import ConfigError
from zero123pp.types import Camera, Mesh, View


@dataclass(frozen=True)
class RegisterConfig:
    """When the input picture becomes a view."""

    use: Literal["auto", "never"] = "auto"
    """auto: where the mesh, seen from the camera that was found, looks like the picture."""
    least_overlap: float = 0.93
    """Intersection over union of both outlines that counts as that."""
    least_psnr: float = 15.0
    """And the likeness of the colours where both are, dB."""
    elevations: tuple[float, float] = (-30.0, 60.0)
    """Where the camera is looked for, degrees."""
    distances: tuple[float, ...] = (1.3, 2.0, 4.0)
    """Distances from which the search starts, diameters of the object's sphere."""
    farthest_azimuth: float = 12.0
    """Degrees off azimuth 0 up to which a camera is believed."""
    confidence: float = 0.1
    """Trust in the picture relative to the other views. It is finer than they are, which counts for it in the texture
    by itself; more trust would smear it over sides that it sees at a slant."""

    def __post_init__(self) -> None:
        if not self.distances or min(self.distances) <= 0.6:
            raise ConfigError(f"register.distances is {list(self.distances)}; expected numbers over 0.6, at least one")
        if not -89 < self.elevations[0] < self.elevations[1] < 89:
            raise ConfigError(
                f"register.elevations is {list(self.elevations)}; expected two ascending angles within 89"
            )


def register_input_view(
    rgba: np.ndarray,
    mesh: Mesh,
    config: RegisterConfig = RegisterConfig(),
    progress: Callable[[float], None] | None = None,
) -> tuple[View | None, dict[str, Any]]:
    """The picture as a view of the mesh, or None where no camera makes the mesh look like it; and what was found.

    The search goes from a grid of elevations and distances, over simplex descents (Nelder and Mead, "A simplex method
    for function minimization", 1965) in six parameters on coarse and finer pictures, with the difference of
    premultiplied colours and alpha over the area of the object.

    Args:
        rgba: (S, S, 4) float32, straight alpha.
        mesh: with vertex colours, in the world frame.
        config: see `RegisterConfig`.
        progress: called with the fraction done.

    Returns:
        The view, at the picture's own size; and 'used', 'elevation_deg', 'azimuth_deg', 'distance', 'overlap',
        'psnr_db', of which all but the first may be missing.
    """
    if config.use == "never" or not (rgba[..., 3] > 0.5).any():
        return None, {"used": False}
    from zero123pp.recon.metrics import likeness
    from zero123pp.recon.ops import resampled
    from zero123pp.recon.render import render_picture

    flat = View(rgba[..., :3], rgba[..., 3], Camera(np.eye(4), 1.0, 1.0, 0.5, 0.5, *rgba.shape[:2]))
    coarse, middle, fine = (resampled(flat, size, size) for size in _SIZES_PX)
    report = progress or (lambda fraction: None)
    starts = sorted(
        (_difference(coarse, mesh, at), at.tolist())
        for elevation in np.arange(config.elevations[0], config.elevations[1] + 1, _STEP_DEG)
        for at in (_framed(coarse, mesh, elevation, distance) for distance in config.distances)
    )
    report(0.2)
    descents = []
    for _, start in starts[:_STARTS]:
        descents.append(_descended(middle, mesh, np.array(start), _STEPS))
        report(0.2 + 0.5 * len(descents) / _STARTS)
    _, at = _descended(fine, mesh, min(descents, key=lambda descent: descent[0])[1], _STEPS // 2)
    overlap, psnr = likeness(render_picture(mesh, _camera(at, fine.camera.width)), fine)
    azimuth, elevation, distance = at[0] * _ANGLE_DEG, at[1] * _ANGLE_DEG, np.exp(at[2])
    used = (
        overlap >= config.least_overlap
        and psnr >= config.least_psnr
        and abs(azimuth) <= config.farthest_azimuth
        and config.elevations[0] - _STEP_DEG <= elevation <= config.elevations[1] + _STEP_DEG
    )
    said = {
        "used": bool(used),
        "azimuth_deg": round(float(azimuth), 1),
        "elevation_deg": round(float(elevation), 1),
        "distance": round(float(distance), 2),
        "overlap": round(overlap, 3),
        "psnr_db": round(psnr, 1),
    }
    if not used:
        return None, said
    return replace(flat, camera=_camera(at, len(rgba)), confidence=config.confidence), said


_SIZES_PX = (48, 96, 160)
"""Sides of the pictures of the grid of starts, of the first descents and of the last."""
_STEP_DEG = 10.0
_STARTS = 2
_STEPS = 120
_ANGLE_DEG = 10.0
"""Angles are counted in this unit, lengths by their logarithm, the crop in sides: a simplex wants like steps."""


def _camera(at: np.ndarray, size: int) -> Camera:
    """The camera of six parameters, for a square picture.

    Azimuth and elevation in units of `_ANGLE_DEG`, log of the distance, log of focal length (in sides of the picture)
    over distance, and the place (x, y) of the world's origin in the picture, in sides.
    """
    azimuth, elevation, log_distance, log_focal, right, down = at
    distance = np.exp(log_distance)
    focal = np.exp(log_focal) * distance * size
    elevation = np.clip(elevation * _ANGLE_DEG, -85, 85)
    pose = look_at(orbit_position(azimuth * _ANGLE_DEG, elevation, distance))
    return Camera(pose, focal, focal, right * size, down * size, size, size)


def _framed(picture: View, mesh: Mesh, elevation: float, distance: float) -> np.ndarray:
    """The parameters at which the mesh fills the same box in the picture as the object does."""
    at = np.array([0.0, elevation / _ANGLE_DEG, np.log(distance), -np.log(distance), 0.5, 0.5])
    px, _ = project(_camera(at, 1), mesh.vertices)
    low, high = px.min(0), px.max(0)
    rows, columns = np.nonzero(picture.alpha > 0.5)
    wanted_low = np.array([columns.min(), rows.min()]) / picture.camera.width
    wanted_high = (np.array([columns.max(), rows.max()]) + 1) / picture.camera.width
    scale = np.sqrt(np.prod(wanted_high - wanted_low) / max(np.prod(high - low), 1e-9))
    at[3] += np.log(scale)
    at[4:] = (wanted_low + wanted_high) / 2 - scale * ((low + high) / 2 - 0.5)
    return at


def _difference(picture: View, mesh: Mesh, at: np.ndarray) -> float:
    """Mean absolute difference of premultiplied RGBA, over the area of the object in the picture."""
    from zero123pp.recon.ops import premultiplied
    from zero123pp.recon.render import render_picture

    camera = _camera(at, picture.camera.width)
    shown = render_picture(mesh, camera, supersample=1)
    return float(np.abs(premultiplied(shown) - premultiplied(picture)).sum() / (4 * picture.alpha.sum()))


def _descended(picture: View, mesh: Mesh, at: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
    """Least difference that a simplex finds from here, and where."""
    from scipy.optimize import minimize

    side = 2.0 / picture.camera.width  # about two pixels
    spread = np.array([0.2, 0.5, 0.2, 2 * side, side, side])
    simplex = np.vstack([at, at + np.diag(spread)])
    options = {"maxfev": steps, "initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-5, "adaptive": True}
    found = minimize(lambda p: _difference(picture, mesh, p), at, method="Nelder-Mead", options=options)
    return float(found.fun), found.x
