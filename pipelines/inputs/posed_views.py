"""Any posed pictures to views in the project's frame: a folder of cut-out pictures and a `transforms.json`.

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
from zero123pp.pipelines.cutout import opacity
from zero123pp.pipelines.inputs.distortion import straightened
from zero123pp.pipelines.inputs.find_file import find_file, spellings
from zero123pp.pipelines.inputs.masks import mask_beside, with_mask
from zero123pp.pipelines.inputs.pictures import PICTURE_SUFFIXES
from zero123pp.pipelines.inputs.posed_cameras import (
    LONG_LENS_ERROR_PX,
    Similarity,
    first_guess,
    pinhole,
    spread,
    turn_up,
)
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.pipelines.inputs.transforms_json import Frame, Lens, Transforms, read_transforms
from zero123pp.types import Camera, MultiView, View

CAMERA_FILES = ("transforms.json", "transforms_train.json")
"""Looked for in the folder of the pictures when no other file is named, in this order."""

MAX_VIEWS = 64
"""Of more frames so many are taken, spread evenly over their directions."""

UP = {
    "x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0),
    "-x": (-1.0, 0.0, 0.0), "-y": (0.0, -1.0, 0.0), "-z": (0.0, 0.0, -1.0),
}  # fmt: skip
DEFAULT_UP = "z"
"""The convention of nerfstudio, instant-ngp and Blender."""

MAX_PIXELS = 12_000_000
"""Of all pictures together, after cropping; more are averaged down. About 200 MB of colours and alphas."""

_SUFFIXES = tuple(dict.fromkeys(["", ".png", ".webp", ".tiff", ".tif", *PICTURE_SUFFIXES]))
"""That a path may leave out; first those that may hold an alpha."""
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

    frame: Frame
    path: Path
    mask: Path | None
    """Its alpha, where that is a picture of its own."""
    lens: Lens
    """Without distortion; so are size and coarse."""
    size: tuple[int, int]
    """Width and height, px."""
    coarse: np.ndarray
    """(h, w) float32 alpha, averaged down."""

    @property
    def pose(self) -> np.ndarray:
        """(4, 4) world_from_cam, frame of the file."""
        return self.frame.world_from_cam

    @property
    def coarse_lens(self) -> Lens:
        """The lens of the coarse picture."""
        factor = np.array(self.coarse.shape[::-1]) / self.size
        return replace(self.lens, scale=tuple(factor * self.lens.scale), principal=tuple(factor * self.lens.principal))


def posed_views(folder: str | Path, cameras: str | Path | None = None, *, up: str | None = None) -> PosedPictures:
    """The posed views of a folder.

    Args:
        folder: holds the pictures, with alpha or with masks.
        cameras: the JSON file; None takes one of `CAMERA_FILES` in the folder.
        up: the axis of the file's world that points up, a key of `UP`; None takes "up" of the file, else z.

    Raises:
        BadInput: whatever of file, poses and pictures cannot be used, or does not belong together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; give the folder of the posed pictures")
    if up is not None and up not in UP:
        raise BadInput(f"unknown up axis {up!r}; choose one of {', '.join(UP)}")
    file = camera_file(folder) if cameras is None else Path(cameras)
    transforms = read_transforms(file)
    frames = transforms.frames
    paths = [find_picture(folder, file, frame) for frame in frames]
    chosen = spread([frame.world_from_cam for frame in frames], MAX_VIEWS)
    masks = {i: find_mask(folder, file, frames[i], paths[i]) for i in chosen}
    pictures = [_looked_at(frames[i], paths[i], masks[i]) for i in chosen]
    try:
        centre, radius = _located(pictures, transforms.aabb)
    except StageFailed as error:
        raise BadInput(f"{file.name}: {error}") from error
    similarity = Similarity(OBJECT_RADIUS / radius, turn_up(_up(up, transforms)), centre)
    views = tuple(_view(picture, radius, similarity, MAX_PIXELS // len(pictures)) for picture in pictures)
    orthographic = sum(picture.lens.orthographic for picture in pictures)
    note = ""
    if len(chosen) < len(frames):
        note = f"{len(chosen)} of the {len(frames)} frames are used, spread evenly over their directions"
    return PosedPictures(MultiView(views, source="posed views", captured=True, note=note), similarity, orthographic)


def camera_file(folder: Path) -> Path:
    """The first of `CAMERA_FILES` that is in the folder; where none is, what the first one would be called."""
    return next((folder / name for name in CAMERA_FILES if (folder / name).is_file()), folder / CAMERA_FILES[0])


def find_picture(folder: Path, cameras: Path, frame: Frame) -> Path:
    """The picture of a frame: relative to the folder, or to the camera file as long as it lies in the folder.

    Names are found as other systems spell them (`find_file`). Raises BadInput when there is none, or when the path
    leads out of the folder.
    """
    return _find(folder, cameras, frame.name, frame.file_path)


def find_mask(folder: Path, cameras: Path, frame: Frame, picture: Path) -> Path | None:
    """The mask that a frame names as its ``mask_path``, else the one that lies beside its picture; None without.

    Raises BadInput for a name that leads nowhere, or out of the folder.
    """
    text = frame.values.get("mask_path")
    if text is None:
        return mask_beside(picture, folder.resolve())
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise BadInput(f"{frame.name} has mask_path {str(text)[:80]!r}; expected the path of its mask")
    return _find(folder, cameras, frame.name, text)


def _find(folder: Path, cameras: Path, name: str, text: str) -> Path:
    """The file that ``name`` names as ``text``."""
    root, outside = folder.resolve(), False
    for base in (root, cameras.resolve().parent):
        for suffix in _SUFFIXES:
            try:
                paths = [(base / (written + suffix)).resolve() for written in spellings(text)]
                if base.is_relative_to(root) and (alike := find_file(base, text + suffix)) is not None:
                    paths.append(alike.resolve())
                found = [path for path in paths if path.is_relative_to(root) and path.is_file()]
            except (OSError, RuntimeError) as error:  # too long a name, a loop of links
                reason = getattr(error, "strerror", None) or "a loop of links"
                raise BadInput(f"{name} names {text[:80]!r}, which cannot be read: {reason}") from error
            outside = outside or not all(path.is_relative_to(root) for path in paths)
            if found:
                return found[0]
    what = f"leads out of {folder}" if outside else f"is missing in {folder}"
    raise BadInput(f"{name} names {text!r}, which {what}")


def _pixels(frame: Frame, path: Path, mask: Path | None) -> tuple[np.ndarray, Lens]:
    """The picture (H, W, 4) uint8 with its alpha and without its lens's distortion, and the lens that is left.

    A picture's own alpha is taken before a mask that merely lies beside it.
    """
    pixels, name = read_image(path), f"the picture of {frame.name}, {path.name},"
    if mask is not None and (pixels.shape[2] == 3 or "mask_path" in frame.values):
        pixels = with_mask(pixels, mask, name)
    if pixels.shape[2] != 4:
        raise BadInput(f"{name} has no alpha, and there is no mask of it; cut the object out, or give masks/NAME.png")
    if (most := opacity(to_float(pixels[..., 3]))) < 1:  # see-through all over
        pixels = np.dstack([pixels[..., :3], np.minimum(pixels[..., 3] / most, 255).round().astype(np.uint8)])
    lens = frame.lens(pixels.shape[1], pixels.shape[0])
    if lens.distortion is None:
        return pixels, lens
    pixels, principal = straightened(pixels, lens.scale, lens.principal, lens.distortion)
    return pixels, replace(lens, principal=principal, distortion=None)


def _looked_at(frame: Frame, path: Path, mask: Path | None) -> _Picture:
    """Lens, size and coarse silhouette of a frame; BadInput when its picture shows no cut-out object."""
    from PIL import Image

    pixels, lens = _pixels(frame, path, mask)
    height, width = pixels.shape[:2]
    alpha = Image.fromarray(np.ascontiguousarray(pixels[..., 3]))
    shrink = min(_COARSE_PX / max(width, height), 1)
    alpha = alpha.resize((max(round(width * shrink), 1), max(round(height * shrink), 1)), Image.Resampling.BOX)
    coarse = np.asarray(alpha, np.float32) / 255
    if coarse.max() < 0.5:
        raise BadInput(
            f"the picture of {frame.name}, {path.name}, shows no object, or one smaller than 1/{_COARSE_PX} of it "
            "(alpha below 0.5)"
        )
    return _Picture(frame, path, mask, lens, (width, height), coarse)


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
    pixels = to_float(_pixels(picture.frame, picture.path, picture.mask)[0][top:bottom, left:right])
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
