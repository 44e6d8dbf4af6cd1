"""The texture as the bytes of a picture."""

import io

import numpy as np

from zero123pp.images import encode_png

JPEG_QUALITY, WEBP_QUALITY = 90, 92
"""From six sides a texture looks as its PNG does to more than 40 dB, see docs/assets.md."""

MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def encode_texture(texels: np.ndarray, texture_format: str, *, is_color: bool = True) -> bytes:
    """Bytes of an (H, W, 3) uint8 texture as one of `MIME`, without colour profile; equal for equal input.

    Where it holds no colours, all channels are kept at full resolution.
    """
    if texture_format == "png":
        return encode_png(texels)
    from PIL import Image

    file, picture = io.BytesIO(), Image.fromarray(np.ascontiguousarray(texels))
    if texture_format == "jpeg":
        sampling = {} if is_color else {"subsampling": 0}
        picture.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True, **sampling)
    elif not is_color:
        picture.save(file, "WEBP", lossless=True, method=4)  # a lossy one halves two of its channels
    else:
        picture.save(file, "WEBP", quality=WEBP_QUALITY, method=4)
    return file.getvalue()
