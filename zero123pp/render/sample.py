"""One training sample: a query picture, the six target views of a rig as one sheet, and what they were made with."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import GRAY_BACKGROUND, encode_png, to_uint8
from zero123pp.types import ByContent

DEPTH_UNIT = 2.0**-14
"""World units a count of a stored depth picture: steps of 6e-5, up to 4.0."""

MAX_SIDE_PX = 8192
"""Larger pictures are refused before they are decoded."""

FILES = {"query": "query.png", "sheet": "views.png", "depth": "depth.png", "normals": "normals.png", "meta": "json"}
"""Field of `ViewSample` to the file of a shard that holds it (after ``KEY.``)."""


@dataclass(frozen=True, eq=False)
class ViewSample(ByContent):
    """A query view and the six views that a model should draw of it; tiles of T px in the rig's order."""

    key: str
    """Unique in its folder: mesh, pass, number of the query, ``m`` when mirrored."""
    query: np.ndarray
    """(S, S, 4) uint8 sRGB with straight alpha."""
    sheet: np.ndarray
    """(3 T, 2 T, 4) uint8 sRGB with straight alpha."""
    depth: np.ndarray | None
    """(3 T, 2 T) float32 distance to each tile's camera plane, world units; 0 where there is no surface."""
    normals: np.ndarray | None
    """(3 T, 2 T, 3) uint8 view-space normals, n = 2 px / 255 - 1 (x right, y up, z to the viewer); gray outside."""
    meta: dict[str, Any]
    """Cameras, light, scale, mesh; see docs/training.md."""

    def __post_init__(self) -> None:
        side = self.sheet.shape[1] // 2 if self.sheet.ndim == 3 else 0
        wanted = {
            "query": (self.query, (*(self.query.shape[:1] * 2), 4), np.uint8),
            "sheet": (self.sheet, (3 * side, 2 * side, 4), np.uint8),
            "depth": (self.depth, (3 * side, 2 * side), np.float32),
            "normals": (self.normals, (3 * side, 2 * side, 3), np.uint8),
        }
        for name, (array, shape, dtype) in wanted.items():
            if array is not None and (array.shape != shape or array.dtype != dtype or 0 in shape):
                raise BadInput(
                    f"{name} of sample {self.key} is {array.dtype} {array.shape}; expected {dtype.__name__} {shape}"
                )


def encode_normals(normals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Unit normals (..., 3) as uint8, gray where ``mask`` (...,) is False."""
    return np.where(mask[..., None], to_uint8((normals + 1) / 2), np.uint8(GRAY_BACKGROUND))


def encode(sample: ViewSample) -> dict[str, bytes]:
    """The files of a sample: name after the key to content. The same sample gives the same bytes."""
    files = {FILES["query"]: _png(sample.query), FILES["sheet"]: _png(sample.sheet)}
    if sample.depth is not None:
        counts = np.round(np.clip(sample.depth / DEPTH_UNIT, 0, 65535)).astype(np.uint16)
        files[FILES["depth"]] = _png(counts)
    if sample.normals is not None:
        files[FILES["normals"]] = _png(sample.normals)
    files[FILES["meta"]] = json.dumps(sample.meta, sort_keys=True).encode()
    return files


def decode(key: str, files: Mapping[str, bytes]) -> ViewSample:
    """The sample that `encode` wrote; files of depth and normals may be missing.

    Raises:
        BadInput: a file is missing, damaged, or of the wrong size; the message names the sample.
    """
    missing = [FILES[name] for name in ("query", "sheet", "meta") if FILES[name] not in files]
    if missing:
        raise BadInput(f"sample {key} has no {', '.join(missing)}; render the shard again")
    try:
        meta = json.loads(files[FILES["meta"]])
        if not isinstance(meta, dict):
            raise ValueError("its meta data is no JSON object")
        pictures = {name: picture(files[FILES[name]], "RGBA") for name in ("query", "sheet")}
        depth = normals = None
        if FILES["depth"] in files:
            unit = np.float32(meta.get("depth_unit", DEPTH_UNIT))
            depth = picture(files[FILES["depth"]], "I;16").astype(np.float32) * unit
        if FILES["normals"] in files:
            normals = picture(files[FILES["normals"]], "RGB")
    except (ValueError, OSError, SyntaxError, RecursionError) as error:  # Pillow reports broken PNGs as SyntaxError too
        raise BadInput(f"sample {key} is damaged: {error}; render the shard again") from error
    return ViewSample(key, **pictures, depth=depth, normals=normals, meta=meta)


def picture(data: bytes, mode: str) -> np.ndarray:
    """Pixels of a PNG; ValueError unless it has Pillow's ``mode`` (also "I;16") and a bearable size."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        if max(image.size) > MAX_SIDE_PX:
            raise ValueError(f"a picture of {image.width}x{image.height} px is larger than {MAX_SIDE_PX} px")
        if image.mode != mode:
            raise ValueError(f"a picture has mode {image.mode} instead of {mode}")
        return np.array(image)


def _png(pixels: np.ndarray) -> bytes:
    # Level 1: a shard is as much as a tenth larger than at the best level, and rendering waits for no compressor.
    return encode_png(pixels, compress_level=1)
