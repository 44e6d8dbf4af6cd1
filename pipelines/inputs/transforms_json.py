"""Cameras from a `transforms.json` (nerfstudio, instant-ngp, Blender exports): read with care, nothing assumed.

Poses are camera-to-world with OpenGL axes (x right, y up, z backwards, towards the viewer). Keys of a frame win over
those of the file. docs/posed_views.md lists the keys.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.distortion import Distortion

MIN_FRAMES = 4
MAX_BYTES = 16 * 2**20
_LEAST_FOCAL, _MOST_FOCAL = 1e-4, 1e7
"""Focal lengths over the picture's side: no lens is beyond, and numbers are."""
_PERSPECTIVE = {
    *("perspective", "persp", "pinhole", "simple_pinhole"),
    *("opencv", "full_opencv", "simple_radial", "radial"),
}
_FISHEYE = {"opencv_fisheye", "fisheye", "simple_radial_fisheye", "radial_fisheye"}
_ORTHOGRAPHIC = {"orthographic", "ortho"}
_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])
"""Camera axes: x right, y down, z forward from x right, y up, z backwards."""


@dataclass(frozen=True)
class Lens:
    """How a camera maps its own coordinates to the pixels of a picture of a given size."""

    scale: tuple[float, float]
    """Perspective: focal lengths, px. Orthographic: px per unit of the file, along x and y."""
    principal: tuple[float, float]
    """px, from the top left corner."""
    orthographic: bool = False
    distortion: Distortion | None = None


@dataclass(frozen=True)
class Frame:
    """One entry of the file's `frames`."""

    name: str
    """For messages, such as "frames[3] of transforms.json"."""
    file_path: str
    world_from_cam: np.ndarray
    """(4, 4) float64, camera (OpenCV axes) to the file's world, rigid."""
    values: Mapping[str, Any]
    """The keys of the file and, over them, of the frame."""

    def lens(self, width: int, height: int) -> Lens:
        """The lens for this frame's picture of ``width`` x ``height`` px; BadInput when it is not told."""
        return _lens(self, width, height)


@dataclass(frozen=True)
class Transforms:
    """The content of one file."""

    frames: tuple[Frame, ...]
    up: np.ndarray | None
    """(3,) unit vector of the file's world that points up, when the file says."""
    aabb: np.ndarray | None
    """(2, 3) lowest and highest corner of a box round the object in the file's world, when the file says."""


def read_transforms(path: str | Path) -> Transforms:
    """The frames of a `transforms.json`.

    Raises:
        BadInput: a file that is missing, no JSON, without at least 4 frames, or with a pose that is none.
    """
    path = Path(path)
    content = _read(path)
    frames = content.get("frames")
    if not isinstance(frames, list):
        raise BadInput(f'{path.name} has no list "frames"; expected the format of nerfstudio or instant-ngp')
    if len(frames) < MIN_FRAMES:
        raise BadInput(f"{path.name} has {len(frames)} frames; expected {MIN_FRAMES} or more")
    shared = {key: value for key, value in content.items() if key != "frames"}
    return Transforms(
        tuple(_frame(each, index, shared, path.name) for index, each in enumerate(frames)),
        _up(content.get("up"), path.name),
        _box(content.get("aabb"), path.name),
    )


def _read(path: Path) -> dict:
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; give the JSON file with the cameras, for example transforms.json")
        if not path.is_file():
            raise BadInput(f"there is no camera file {path}; give it with --cameras")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path.name} has {path.stat().st_size / 2**20:.0f} MB; at most {MAX_BYTES >> 20} are read")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path.name} is not JSON that can be read: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path.name} holds {type(content).__name__}; expected a JSON object with frames")
    return content


def _frame(frame: object, index: int, shared: Mapping[str, Any], file: str) -> Frame:
    name = f"frames[{index}] of {file}"
    if not isinstance(frame, dict):
        raise BadInput(f"{name} is not a JSON object")
    file_path = frame.get("file_path")
    if not isinstance(file_path, str) or not file_path.strip() or not file_path.isprintable():
        raise BadInput(f"{name} has file_path {file_path!r}; expected the path of its picture")
    if "transform_matrix" not in frame:
        raise BadInput(f"{name} has no transform_matrix; expected 4 x 4 numbers, camera to world")
    return Frame(name, file_path, _pose(frame["transform_matrix"], name), {**shared, **frame})


def _pose(value: object, name: str) -> np.ndarray:
    """(4, 4) rigid, OpenCV camera axes to world, from OpenGL camera-to-world with at most a uniform scale."""
    matrix = _numbers(value, f"transform_matrix of {name}")
    if matrix.shape not in {(4, 4), (3, 4)}:
        raise BadInput(f"transform_matrix of {name} has shape {matrix.shape}; expected (4, 4)")
    if matrix.shape == (4, 4) and not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-5):
        raise BadInput(f"the last row of transform_matrix of {name} is {matrix[3].tolist()}; expected 0, 0, 0, 1")
    linear = matrix[:3, :3]
    left, sizes, right = np.linalg.svd(linear)
    if sizes[0] == 0 or sizes[2] < 1e-6 * sizes[0]:
        raise BadInput(f"transform_matrix of {name} is singular; expected a rotation and a position")
    if sizes[0] > 1.01 * sizes[2]:
        raise BadInput(f"transform_matrix of {name} stretches by {sizes.round(3).tolist()}; expected a rotation")
    if np.linalg.det(linear) < 0:
        raise BadInput(f"transform_matrix of {name} mirrors (negative determinant); expected a rotation")
    pose = np.eye(4)
    pose[:3, :3] = left @ right @ _OPENCV_FROM_OPENGL  # the nearest rotation
    pose[:3, 3] = matrix[:3, 3]
    return pose


def _lens(frame: Frame, width: int, height: int) -> Lens:
    values, name = frame.values, frame.name
    model = values.get("camera_model")
    if model is None and values.get("ortho_scale") is not None and "camera_angle_x" not in values:
        model = "orthographic"
    kind = "perspective" if model is None else str(model).lower()
    kind = "fisheye" if values.get("is_fisheye") and kind in _PERSPECTIVE else kind
    if kind not in _PERSPECTIVE | _FISHEYE | _ORTHOGRAPHIC:
        raise BadInput(f"{name} has camera_model {model!r}; only perspective, fisheye and orthographic ones are read")
    distortion = _distortion(values, name, kind)
    file_width, file_height = _number(values, "w", name, width), _number(values, "h", name, height)
    if min(file_width, file_height) <= 0 or abs(width * file_height / (height * file_width) - 1) > 0.02:
        raise BadInput(
            f"the picture of {name} has {width}x{height} px but its camera {file_width:g}x{file_height:g}; "
            "expected the same size, or the picture scaled"
        )
    sx, sy = width / file_width, height / file_height
    principal = (
        sx * _number(values, "cx", name, file_width / 2),
        sy * _number(values, "cy", name, file_height / 2),
    )
    if kind in _ORTHOGRAPHIC:
        span = _number(values, "ortho_scale", name, None)
        if span is None or span <= 0:
            raise BadInput(
                f"{name} is orthographic and its ortho_scale is {span}; expected the world units that the longer side "
                "of the picture spans"
            )
        per_unit = max(width, height) / span
        return Lens((per_unit, per_unit), principal, orthographic=True)
    fx, fy = _focal(values, "x", file_width, name), _focal(values, "y", file_height, name)
    if fx is None and fy is None:
        raise BadInput(f"{name} has no focal length; give fl_x (px) or camera_angle_x (radians)")
    fx, fy = fy if fx is None else fx, fx if fy is None else fy  # square pixels unless both are told
    return Lens((sx * fx, sy * fy), principal, distortion=distortion)


def _focal(values: Mapping[str, Any], axis: str, size: float, name: str) -> float | None:
    focal = _number(values, f"fl_{axis}", name, None)
    if focal is not None:
        if not _LEAST_FOCAL * size <= focal <= _MOST_FOCAL * size:
            raise BadInput(f"{name} has fl_{axis} {focal:g}; expected px above 0, of the order of the picture's side")
        return focal
    angle = _number(values, f"camera_angle_{axis}", name, None)
    if angle is None:
        return None
    if not 1 / _MOST_FOCAL < angle < math.pi:
        raise BadInput(f"{name} has camera_angle_{axis} {angle:g}; expected radians between 0 and pi")
    return size / 2 / math.tan(angle / 2)


def _distortion(values: Mapping[str, Any], name: str, kind: str) -> Distortion | None:
    """How the lens bends lines; None when it does not."""
    told = {key: _number(values, key, name, 0.0) for key in _DISTORTION}
    bent = {key: value for key, value in told.items() if value != 0}
    if kind in _FISHEYE:
        idle = [key for key in bent if key not in _DISTORTION[:4]]
        if idle:
            raise BadInput(f"{name} is a fisheye with {idle[0]} {bent[idle[0]]:g}; expected k1 to k4 alone")
        return Distortion(tuple(told[key] for key in _DISTORTION[:4]), fisheye=True)
    if bent and kind in _ORTHOGRAPHIC:
        raise BadInput(f"{name} is orthographic with {', '.join(bent)}; expected no distortion")
    if any(abs(value) > 1e3 for value in bent.values()):
        raise BadInput(f"{name} has a distortion beyond any lens ({', '.join(bent)}); expected OpenCV's coefficients")
    radial = tuple(told[key] for key in _DISTORTION[:6])
    return Distortion(radial, (told["p1"], told["p2"])) if bent else None


def _number(values: Mapping[str, Any], key: str, name: str, default: float | None) -> float | None:
    value = values.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise BadInput(f"{name} has {key} {str(value)[:40]!r}; expected a number below 1e12")
    return float(value)


def _numbers(value: object, name: str) -> np.ndarray:
    """Nested lists of finite numbers as float64."""
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{name} is not an array of numbers") from error
    if not np.isfinite(array).all() or (array.size and np.abs(array).max() > 1e9):
        raise BadInput(f"{name} has values that are not finite numbers (NaN, infinity or beyond 1e9)")
    return array


def _up(value: object, file: str) -> np.ndarray | None:
    if value is None:
        return None
    up = _numbers(value, f'"up" of {file}')
    if up.shape != (3,) or np.linalg.norm(up) < 1e-6:
        raise BadInput(f'"up" of {file} is {value}; expected a direction of 3 numbers')
    return up / np.linalg.norm(up)


def _box(value: object, file: str) -> np.ndarray | None:
    if value is None:
        return None
    box = _numbers(value, f'"aabb" of {file}')
    if box.shape != (2, 3) or not (box[0] < box[1]).all():
        raise BadInput(f'"aabb" of {file} is {value}; expected the lowest and the highest corner of a box')
    return box
