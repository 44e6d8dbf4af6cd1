"""Any posed pictures to views in the project's frame: a folder of RGBA pictures and a `transforms.json`.

The object is found from the silhouettes and brought into the sphere of radius 0.5 with +Y up; the similarity that does
so is kept, so that results can be taken back. docs/posed_views.md tells users about the format.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.cameras import OBJECT_RADIUS, project
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import to_float
from zero123pp.pipelines.inputs.posed_cameras import LONG_LENS_ERROR_PX, Similarity, first_guess, pinhole, turn_up
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.pipelines.inputs.transforms_json import Frame, Lens, Transforms, read_transforms
from zero123pp.types import Camera, MultiView, View

CAMERA_FILE = "transforms.json"
"""Looked for in the folder of the pictures when no other file is named."""

UP = {
    "x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0),
    "-x": (-1.0, 0.0, 0.0), "-y": (0.0, -1.0, 0.0), "-z": (0.0, 0.0, -1.0),
}  # fmt: skip
DEFAULT_UP = "z"
"""The convention of nerfstudio, instant-ngp and Blender."""

MAX_PIXELS = 12_000_000
"""Of all pictures together, after cropping; more are averaged down. About 200 MB of colours and alphas."""

_SUFFIXES = ("", ".png", ".webp", ".tiff", ".tif")
_COARSE_PX = 160
"""Longer side of the pictures in which the object is located."""
_MARGIN = 1.06
"""Room round the object's sphere in cropped pictures: the fit looks that far."""


@dataclass(frozen=True)
class PosedPictures:
    """Views that are ready for the reconstruction, and how to get back to the frame that they came in."""

    views: MultiView
    similarity: Similarity
    orthographic: int
    """How many of the cameras are orthographic; `pinhole` says how they are seen as long lenses."""

    def report(self) -> dict[str, Any]:
        """JSON-ready: the similarity, and how far off orthographic cameras are at most."""
        lenses = {"orthographic_views": self.orthographic}
        if self.orthographic:
            lenses["orthographic_error_px"] = LONG_LENS_ERROR_PX
        return self.similarity.report() | lenses


@dataclass(frozen=True)
class _Picture:
    """A picture that was looked at once: everything but its pixels."""

    path: Path
    pose: np.ndarray
    """(4, 4) world_from_cam, frame of the file."""
    lens: Lens
    size: tuple[int, int]
    """Width and height, px."""
    coarse: np.ndarray
    """(h, w) float32 alpha, averaged down."""

    @property
    def coarse_lens(self) -> Lens:
        """The lens of the coarse picture."""
        factor = np.array(self.coarse.shape[::-1]) / self.size
        return replace(self.lens, scale=tuple(factor * self.lens.scale), principal=tuple(factor * self.lens.principal))


def posed_views(folder: str | Path, cameras: str | Path | None = None, *, up: str | None = None) -> PosedPictures:
    """The posed views of a folder.

    Args:
        folder: holds the RGBA pictures.
        cameras: the JSON file; None takes `transforms.json` in the folder.
        up: the axis of the file's world that points up, a key of `UP`; None takes "up" of the file, else z.

    Raises:
        BadInput: whatever of file, poses and pictures cannot be used, or does not belong together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; give the folder of the posed pictures")
    if up is not None and up not in UP:
        raise BadInput(f"unknown up axis {up!r}; choose one of {', '.join(UP)}")
    file = folder / CAMERA_FILE if cameras is None else Path(cameras)
    transforms = read_transforms(file)
    paths = [find_picture(folder, file, frame) for frame in transforms.frames]
    pictures = [_looked_at(frame, path) for frame, path in zip(transforms.frames, paths)]
    try:
        centre, radius = _located(pictures, transforms.aabb)
    except StageFailed as error:
        raise BadInput(f"{file.name}: {error}") from error
    similarity = Similarity(OBJECT_RADIUS / radius, turn_up(_up(up, transforms)), centre)
    views = tuple(_view(picture, radius, similarity, MAX_PIXELS // len(pictures)) for picture in pictures)
    orthographic = sum(picture.lens.orthographic for picture in pictures)
    return PosedPictures(MultiView(views, source="posed views", captured=True), similarity, orthographic)


def find_picture(folder: Path, cameras: Path, frame: Frame) -> Path:
    """The picture of a frame: relative to the folder, or to the camera file as long as it lies in the folder.

    Raises BadInput when there is none, or when the path leads out of the folder.
    """
    root, outside = folder.resolve(), False
    for base in (root, cameras.resolve().parent):
        for suffix in _SUFFIXES:
            try:
                candidate = (base / (frame.file_path.replace("\\", "/") + suffix)).resolve()
                found = candidate.is_file()
            except (OSError, RuntimeError) as error:  # too long a name, a loop of links
                reason = getattr(error, "strerror", None) or "a loop of links"
                raise BadInput(
                    f"{frame.name} names {frame.file_path[:80]!r}, which cannot be read: {reason}"
                ) from error
            if not candidate.is_relative_to(root):
                outside = True
            elif found:
                return candidate
    what = f"leads out of {folder}" if outside else f"is missing in {folder}"
    raise BadInput(f"{frame.name} names {frame.file_path!r}, which {what}")


def _looked_at(frame: Frame, path: Path) -> _Picture:
    """Lens, size and coarse silhouette of a frame; BadInput when its picture shows no cut-out object."""
    from PIL import Image

    pixels, name = read_image(path), f"the picture of {frame.name}, {path.name},"
    height, width = pixels.shape[:2]
    if pixels.shape[2] != 4:
        raise BadInput(f"{name} has no alpha; cut the object out first")
    alpha = Image.fromarray(np.ascontiguousarray(pixels[..., 3]))
    shrink = min(_COARSE_PX / max(width, height), 1)
    alpha = alpha.resize((max(round(width * shrink), 1), max(round(height * shrink), 1)), Image.Resampling.BOX)
    coarse = np.asarray(alpha, np.float32) / 255
    if coarse.max() < 0.5:
        raise BadInput(f"{name} shows no object, or one smaller than 1/{_COARSE_PX} of it (alpha below 0.5)")
    return _Picture(path, frame.world_from_cam, frame.lens(width, height), (width, height), coarse)


def _located(pictures: Sequence[_Picture], box: np.ndarray | None) -> tuple[np.ndarray, float]:
    """Centre (3,) and radius of the object in the file's frame."""
    from zero123pp.recon.registration import common_volume

    lenses = [picture.coarse_lens for picture in pictures]
    centre, radius = first_guess([p.pose for p in pictures], lenses, [p.coarse for p in pictures])
    views = []
    for picture, lens in zip(pictures, lenses):
        camera = pinhole(picture.pose, lens, picture.coarse.shape[::-1], centre, 2 * radius)
        views.append(View(np.zeros((*picture.coarse.shape, 3), np.float32), picture.coarse, camera))
    return common_volume(views, centre, radius, box)


def _up(chosen: str | None, transforms: Transforms) -> np.ndarray:
    """Unit vector (3,) that points up in the file's frame."""
    if chosen is None and transforms.up is not None:
        return transforms.up
    return np.array(UP[DEFAULT_UP if chosen is None else chosen])


def _view(picture: _Picture, radius: float, similarity: Similarity, max_pixels: int) -> View:
    """The picture's pixels round the object, with at most ``max_pixels``, and its camera in the project's frame."""
    from zero123pp.recon.ops import shrunk
    from zero123pp.recon.registration import moved

    camera = pinhole(picture.pose, picture.lens, picture.size, similarity.centre, radius)
    camera = moved(camera, similarity.centre, similarity.scale, similarity.rotation)
    left, top, right, bottom = _crop(camera)
    pixels = to_float(read_image(picture.path)[top:bottom, left:right])
    camera = replace(
        camera, cx=camera.cx - left, cy=camera.cy - top, width=right - left, height=bottom - top
    )  # fmt: skip
    view = View(pixels[..., :3], pixels[..., 3], camera)
    return shrunk(view, max(np.sqrt(camera.width * camera.height / max_pixels), 1))


def _crop(camera: Camera) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the picture that shows the object's sphere, px."""
    (x, y), depth = project(camera, np.zeros(3))
    distance = np.linalg.norm(camera.world_from_cam[:3, 3])
    reach = _MARGIN * OBJECT_RADIUS
    if depth <= reach or distance <= 1.2 * reach:  # a camera in or beside the object may see it anywhere
        return 0, 0, camera.width, camera.height
    # Half the angle that the sphere spans, and the stretch of a perspective picture away from its axis.
    half = np.arcsin(reach / distance)
    off_axis = np.arccos(np.clip(depth / distance, -1, 1))
    if off_axis + half > np.deg2rad(80):
        return 0, 0, camera.width, camera.height
    radius = np.tan(off_axis + half) - np.tan(off_axis)
    left, right = (np.clip([x - radius * camera.fx, x + radius * camera.fx], 0, camera.width)).tolist()
    top, bottom = (np.clip([y - radius * camera.fy, y + radius * camera.fy], 0, camera.height)).tolist()
    return int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))
