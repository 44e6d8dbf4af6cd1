"""A textured mesh comes in, pictures of it to look at go out: four views, and a turntable."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.files import check_folder, whole_file, write_file
from zero123pp.images import over, own_png, to_uint8
from zero123pp.machine import in_threads
from zero123pp.own import MARK, check_own
from zero123pp.recon.render import render_picture
from zero123pp.types import TexturedMesh

PREVIEW_SUFFIXES = (".png",)
TURNTABLE_SUFFIXES = (".webp", ".gif", ".mp4")

_DISTANCE, _FOV_DEG = 1.9, 33.0
"""The sphere of radius 0.5 fills the picture."""
_ELEVATION_DEG, _BACKGROUND = 12.0, 0.94
_PREVIEW_PX, _TURNTABLE_PX = 512, 384
_FRAMES, _FRAME_MS = 36, 80
_AT_ONCE = 6
"""Frames between two words of progress, drawn by all processors."""


def write_preview(textured: TexturedMesh, path: str | Path) -> None:
    """The object from the front, the right, the back and the left, side by side in one PNG.

    Raises BadInput as `check_picture`, or when the disk refuses.
    """
    check_picture(path, PREVIEW_SUFFIXES)
    write_file(path, own_png(np.concatenate([_shot(textured, turn, _PREVIEW_PX) for turn in (0, 90, 180, 270)], 1)))


def write_turntable(
    textured: TexturedMesh, path: str | Path, progress: Callable[[float], None] = lambda _: None
) -> None:
    """The object turning once around its axis: an animated WebP or GIF, or a film (``zero123pp[film]``).

    Args:
        textured: in the world frame.
        path: its suffix picks the format.
        progress: called with the fraction done.

    Raises:
        BadInput: as `check_picture`, or the disk refuses.
        MissingBackend: a film, and imageio-ffmpeg is not installed.
    """
    check_picture(path, TURNTABLE_SUFFIXES)
    frames = []
    for start in range(0, _FRAMES, _AT_ONCE):
        turns = [index * 360 / _FRAMES for index in range(start, start + _AT_ONCE)]
        frames += in_threads(lambda turn: _shot(textured, turn, _TURNTABLE_PX), turns)
        progress(len(frames) / _FRAMES)
    if Path(path).suffix.lower() == ".mp4":
        _write_film(frames, path)
    else:
        write_file(path, _animation(frames, Path(path).suffix.lower()))


def check_picture(path: str | Path, suffixes: tuple[str, ...]) -> None:
    """BadInput for another suffix, a place that cannot be written to, or a file of somebody else's.

    MissingBackend for a film without its library.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        known = " or ".join(suffixes)
        raise BadInput(f"cannot write {path.name!r}: unknown suffix {path.suffix!r}; choose {known}")
    check_folder(path)
    check_own(path)
    if suffix == ".mp4":
        _ffmpeg()


def _shot(textured: TexturedMesh, azimuth_deg: float, size_px: int) -> np.ndarray:
    """(S, S, 3) uint8 of the object over a plain background."""
    camera = orbit_camera(azimuth_deg, _ELEVATION_DEG, _DISTANCE, _FOV_DEG, size_px)
    view = render_picture(textured, camera)
    return to_uint8(over(view.rgb, view.alpha, _BACKGROUND))


def _animation(frames: list[np.ndarray], suffix: str) -> bytes:
    from PIL import Image

    file, pictures = io.BytesIO(), [Image.fromarray(frame) for frame in frames]
    more = {"save_all": True, "append_images": pictures[1:], "duration": _FRAME_MS, "loop": 0}
    if suffix == ".webp":
        pictures[0].save(file, "WEBP", quality=80, method=2, xmp=MARK, **more)
    else:
        pictures[0].save(file, "GIF", comment=MARK, **more)
    return file.getvalue()


def _write_film(frames: list[np.ndarray], path: str | Path) -> None:
    ffmpeg = _ffmpeg()
    with whole_file(path) as temporary:
        height, width = frames[0].shape[:2]
        writer = ffmpeg.write_frames(
            str(temporary), (width, height), fps=1000 / _FRAME_MS,
            output_params=["-f", "mp4", "-metadata", f"comment={MARK.decode()}"],
        )  # fmt: skip
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()


def _ffmpeg() -> object:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise MissingBackend("a turntable as .mp4 needs imageio-ffmpeg: pip install 'zero123pp[film]'") from error
    return imageio_ffmpeg
