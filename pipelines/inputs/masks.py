"""Masks of pictures that have no alpha: where they lie, and what they say."""

from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.find_file import find_file
from zero123pp.pipelines.inputs.pictures import PICTURE_SUFFIXES
from zero123pp.pipelines.inputs.read_image import read_image

FOLDERS = ("masks", "mask")


def mask_beside(picture: Path, root: Path) -> Path | None:
    """The mask of a picture by its place: ``masks/NAME.png`` beside the picture, or beside its folder.

    None when there is none, or when it lies outside of ``root``.
    """
    names = [name + suffix for name in (picture.stem, picture.name) for suffix in PICTURE_SUFFIXES]
    for home in (picture.parent, picture.parent.parent):
        for folder in FOLDERS:
            if not home.is_relative_to(root) or not (home / folder).is_dir():
                continue
            for name in names:
                found = find_file(home / folder, name)
                if found is not None and found.resolve().is_relative_to(root):
                    return found.resolve()
    return None


def with_mask(pixels: np.ndarray, file: Path, name: str) -> np.ndarray:
    """A picture with a mask as its alpha: white is object, black is not.

    Args:
        pixels: (H, W, 3 or 4) uint8; an alpha of its own stays where the mask lets it.
        file: the mask, of the same shape or a scaled one; gray, or with an alpha that says the same.
        name: of the picture, for messages.

    Returns:
        (H, W, 4) uint8.
    """
    from PIL import Image

    said = read_image(file)
    mask = said[..., 3] if said.shape[2] == 4 else said.max(-1)
    if mask.max() == 1:  # booleans as numbers
        mask = mask * np.uint8(255)
    height, width = pixels.shape[:2]
    if abs(mask.shape[1] * height / (mask.shape[0] * width) - 1) > 0.02:
        raise BadInput(
            f"{name} has {width}x{height} px but its mask {file.name} {mask.shape[1]}x{mask.shape[0]}; "
            "expected the same size, or the mask scaled"
        )
    if mask.shape != (height, width):
        mask = np.asarray(Image.fromarray(np.ascontiguousarray(mask)).resize((width, height), Image.Resampling.BOX))
    own = pixels[..., 3] if pixels.shape[2] == 4 else np.uint8(255)
    return np.dstack([pixels[..., :3], np.minimum(mask, own)])
