"""Pictures of phones, HEIC: read where pillow-heif is installed."""

import importlib.util
from functools import cache

INSTALL = "pip install 'zero123pp[heic]'"
SUFFIXES = (".heic", ".heif")
_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def is_heif(data: bytes) -> bool:
    """Whether a file begins like a HEIC picture."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS


@cache
def can_read() -> bool:
    """Whether pillow-heif is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


@cache
def formats() -> tuple[str, ...]:
    """What Pillow can open on top of its own formats, once pillow-heif is installed; makes it known to Pillow."""
    if not can_read():
        return ()
    from pillow_heif import register_heif_opener

    # One picture is wanted of it: the upright main one, without depth maps and thumbnails.
    register_heif_opener(thumbnails=False, depth_images=False)
    return ("HEIF",)
