"""The texture as the bytes of a picture."""

import io

import numpy as np

from zero123pp.images import encode_png

JPEG_QUALITY, WEBP_QUALITY = 90, 92
"""From six sides a texture looks as its PNG does to more than 40 dB, see docs/assets.md."""

MIME = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def encode_texture(texels: np.ndarray, texture_format: str) -> bytes:
    """Bytes of an (H, W, 3) uint8 sRGB texture as one of `MIME`, without colour profile; equal for equal input."""
    if texture_format == "png":
        return encode_png(texels)
    from PIL import Image

    file, picture = io.BytesIO(), Image.fromarray(np.ascontiguousarray(texels))
    if texture_format == "jpeg":
        picture.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    else:
        picture.save(file, "WEBP", quality=WEBP_QUALITY, method=4)
    return file.getvalue()
