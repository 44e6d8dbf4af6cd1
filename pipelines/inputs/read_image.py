"""Any picture a user may hand over, as plain 8-bit sRGB pixels; anything else is `BadInput`, before it costs memory.

The header is checked before a pixel is decoded: a 20 kB file can unpack to gigabytes.
"""

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import heif

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""The decoders that are let near a user's file, beside HEIC's where that is installed; Pillow knows dozens more, most
of them rarely tested."""

MAX_BYTES = 50 * 2**20
MAX_PIXELS = 64_000_000
MIN_SIDE_PX = 16
MAX_ASPECT = 20.0
MAX_PROFILE_BYTES = 4 * 2**20


def read_image(source: str | os.PathLike | Image.Image | np.ndarray) -> np.ndarray:
    """The picture as sRGB pixels, upright.

    Turns by the EXIF orientation, converts an embedded colour profile to sRGB, scales 16-bit and float samples
    instead of clipping them, and takes the first frame of an animation.

    Args:
        source: path of a PNG, JPEG, WEBP, BMP, TIFF, GIF or (with pillow-heif) HEIC file; a PIL image; or an array
            (H, W, 3|4) uint8, sRGB.

    Returns:
        Array (H, W, 3) uint8, or (H, W, 4) with straight alpha when any pixel is not opaque.

    Raises:
        BadInput: for a missing, unreadable, empty, damaged, too large, too small or too narrow picture.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        _check_size(source.size, "the picture")
        return _decode(source, "the picture")
    if isinstance(source, (str, os.PathLike)):
        return _from_file(os.fspath(source))
    raise BadInput(f"cannot read a picture from {type(source).__name__}; give a path, a PIL image or a uint8 array")


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4):
        raise BadInput(f"picture array has shape {array.shape} and type {array.dtype}; expected (H, W, 3 or 4) uint8")
    _check_size((array.shape[1], array.shape[0]), "the picture array")
    return _without_idle_alpha(np.ascontiguousarray(array))


def _from_file(path: str) -> np.ndarray:
    name = path if path.isprintable() else repr(path)
    data = _read_bytes(path, name)
    with warnings.catch_warnings():
        # Pillow only warns about bombs under 179 megapixels and about broken metadata; both are dealt with here.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS + (heif.formats() if heif.is_heif(data) else ()))
        except Image.DecompressionBombError as error:
            raise BadInput(
                f"{name}: the picture is larger than {MAX_PIXELS / 1e6:.0f} megapixels; scale it down first"
            ) from error
        except Exception as error:  # a decoder meets bad bytes with any kind of exception
            raise BadInput(
                f"{name} is not a picture that can be read ({_looks_like(data)}); give a PNG, JPEG or WEBP file"
            ) from error
        with image:
            _check_size(image.size, name)
            return _decode(image, name)


def _read_bytes(path: str, name: str) -> bytes:
    """Content of a regular file of sensible size."""
    if "\0" in path:
        raise BadInput(f"picture path {name} has a NUL character in it; give the path of a file")
    file = Path(path)
    try:
        if file.is_dir():
            raise BadInput(f"{name} is a folder; give the path of one picture")
        if not file.exists():
            hint = "; addresses are not fetched, download it first" if "://" in path else "; check the path"
            raise BadInput(f"there is no picture {name}{hint}")
        if not file.is_file():
            raise BadInput(f"{name} is not a regular file; give the path of a picture")
        if file.stat().st_size > MAX_BYTES:
            raise BadInput(
                f"{name} has {file.stat().st_size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read, "
                "scale the picture down first"
            )
        data = file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror or error}; check the path and its permissions") from error
    if not data:
        raise BadInput(f"{name} is empty; give a PNG, JPEG or WEBP file")
    return data


def _looks_like(data: bytes) -> str:
    """What the first bytes look like, for a message."""
    if heif.is_heif(data):
        how = "damaged" if heif.can_read() else f"of the kind that phones take; {heif.INSTALL} reads it"
        return f"it is HEIC data, {how}"
    if data[4:8] == b"ftyp":
        return (
            f"it looks like {data[8:12].decode('ascii', 'replace').strip().upper()} data, as phones and web sites use"
        )
    if data[:256].isascii() and b"\0" not in data[:256]:
        return "it looks like text"
    return "it is damaged or of another format"


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if min(size) < MIN_SIDE_PX:
        raise BadInput(f"{name} is {width}x{height} px; it needs at least {MIN_SIDE_PX} px a side")
    if max(size) > MAX_ASPECT * min(size):
        raise BadInput(f"{name} is {width}x{height} px, narrower than 1:{MAX_ASPECT:.0f}; crop it to the object")
    if width * height > MAX_PIXELS:
        raise BadInput(
            f"{name} is {width}x{height} px, {width * height / 1e6:.0f} megapixels; "
            f"at most {MAX_PIXELS / 1e6:.0f} are read, scale it down first"
        )


def _decode(image: Image.Image, name: str) -> np.ndarray:
    try:
        image.load()
    except Exception as error:  # see above
        raise BadInput(f"{name} is damaged or cut short ({error}); save it again as PNG or JPEG") from error
    profile = image.info.get("icc_profile")
    image = _upright(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _from_high_range(image)
    image = _to_srgb(image, profile)
    try:
        return _without_idle_alpha(np.array(image.convert("RGBA" if image.has_transparency_data else "RGB")))
    except (ValueError, OSError) as error:
        raise BadInput(f"{name} has colour mode {image.mode}, which cannot be read; save it as RGB") from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned by its EXIF orientation; a broken EXIF block is no reason to refuse the picture."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _from_high_range(image: Image.Image) -> np.ndarray:
    """Gray samples of 16 or 32 bits or floats, scaled to 8 bits. Pillow's own conversion clips them.

    16 bits are scaled by their full range, so that a dark picture stays dark. 32-bit and float files do not say
    their range: [0, 1] for floats, then 8 bits, then 16 bits, then the largest value found.
    """
    values = np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if image.mode.startswith("I;"):
        white = 65535.0
    else:
        ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        white = next((limit for limit in ranges if top <= limit), top)
    gray = np.round(np.clip(values / white, 0, 1) * 255).astype(np.uint8)
    rgb = np.repeat(gray[..., None], 3, axis=-1)
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return rgb
    alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
    return _without_idle_alpha(np.concatenate([rgb, alpha[..., None]], axis=-1))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours of the embedded profile converted to sRGB; a missing or broken profile means sRGB."""
    if not profile or len(profile) > MAX_PROFILE_BYTES or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        colours = image.convert("RGB") if image.mode == "RGBA" else image
        converted = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    elif image.has_transparency_data:  # a tRNS gray or colour, named in the old colours
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    return converted


def _without_idle_alpha(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 4) to (H, W, 3) when every pixel is opaque."""
    if pixels.shape[2] == 4 and (pixels[..., 3] == 255).all():
        return np.ascontiguousarray(pixels[..., :3])
    return pixels
