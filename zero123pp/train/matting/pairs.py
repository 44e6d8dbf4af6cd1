"""What the cutout network trains on: pictures of objects by kind, and photographs taken of panoramas."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.render import find_hdr, read_hdr
from zero123pp.train import is_held_out
from zero123pp.train.matting.panoramas import photograph

PHOTOS_PER_PANORAMA = 120
PHOTO_PX = 256


def object_groups(folder: str | Path) -> tuple[list[list[Path]], list[Path]]:
    """Training pictures by kind, and held-out ones. Files are ``<object>_<number>.png``; objects are never split.

    Raises:
        BadInput: fewer than 20 objects.
    """
    folder = Path(folder)
    folders = sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
    groups, held_out = [], []
    for each in folders or [folder]:
        files = sorted(each.glob("*.png"))
        kept = [is_held_out(file.stem.rsplit("_", 1)[0]) for file in files]
        held_out += [file for file, out in zip(files, kept) if out]
        groups.append([file for file, out in zip(files, kept) if not out])
    groups = [group for group in groups if group]
    if not held_out or sum(map(len, groups)) < 20:
        raise BadInput(f"{folder} has {sum(map(len, groups))} object pictures; training needs hundreds of objects")
    return groups, held_out


def photographs_of(folder: str | Path, hold_out: set[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Photographs (N, P, P, 3) uint8 for training, and from the held-out panoramas (all of them when none is named)."""
    files = find_hdr(folder)
    unknown = hold_out - {file.stem for file in files}
    if unknown or len(files) <= len(hold_out):
        raise BadInput(f"{folder} has panoramas {', '.join(f.stem for f in files)}; cannot hold out {sorted(hold_out)}")
    photos = {file.stem: _photographs(file, [seed, number]) for number, file in enumerate(files)}
    training = np.concatenate([photo for name, photo in photos.items() if name not in hold_out])
    return training, np.concatenate([photo for name, photo in photos.items() if name in hold_out or not hold_out])


def _photographs(file: Path, seed: Sequence[int]) -> np.ndarray:
    panorama, rng = read_hdr(file), np.random.default_rng(seed)
    return np.stack([photograph(panorama, rng, PHOTO_PX) for _ in range(PHOTOS_PER_PANORAMA)])
