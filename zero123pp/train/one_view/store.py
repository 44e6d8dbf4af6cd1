"""A folder of collected objects, decoded once, so that a view of one costs a few milliseconds."""

import hashlib
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.files import make_folder, whole_file
from zero123pp.train.one_view.solids import Solid, StoredPaint

_TEXTURES = "textures"


class SolidStore:
    """``<class>/<name>.npz`` for each object, its textures by their content in ``textures/``: many kits share one."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def classes(self) -> dict[str, list[str]]:
        """Class to the names of its objects, both sorted.

        Raises:
            BadInput: there is none.
        """
        found: dict[str, list[str]] = {}
        for path in sorted(self.folder.glob("*/*.npz")):
            found.setdefault(path.parent.name, []).append(path.stem)
        if not found:
            raise BadInput(f"{self.folder} holds no objects; make them with 'run.py render solids'")
        return found

    def path(self, kind: str, name: str) -> Path:
        """Where an object lies, or will."""
        return self.folder / kind / f"{name}.npz"

    def save(self, kind: str, name: str, solid: Solid) -> None:
        """Store an object that has a `StoredPaint`, whole or not at all."""
        keys = []
        paint = solid.paint
        for texture in paint.textures:
            key = hashlib.sha256(texture.tobytes()).hexdigest()[:24]
            keys.append(key)
            path = self.folder / _TEXTURES / f"{key}.npy"
            if not path.is_file():
                make_folder(path.parent)
                with whole_file(path, shared=True) as temporary, temporary.open("wb") as file:
                    np.save(file, texture)
        target = self.path(kind, name)
        make_folder(target.parent)
        with whole_file(target) as temporary, temporary.open("wb") as file:
            np.savez(
                file, vertices=solid.vertices, faces=solid.faces, normals=solid.normals.astype(np.float16),
                uv=paint.uv.astype(np.float32), rgb=paint.rgb.astype(np.uint8),
                texture_of_face=paint.texture_of_face.astype(np.int16), textures=np.array(keys, dtype="U24"),
            )  # fmt: skip

    def load(self, kind: str, name: str) -> Solid:
        """An object; BadInput when its file is damaged."""
        path = self.path(kind, name)
        try:
            with np.load(path) as file:
                textures = tuple(_texture(self.folder / _TEXTURES / f"{key}.npy") for key in file["textures"])
                paint = StoredPaint(file["uv"], file["rgb"], file["texture_of_face"], textures)
                return Solid(file["vertices"], file["faces"], file["normals"].astype(np.float32), paint, kind)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadInput(f"{path} is damaged: {error}; delete it and make it again") from error


@lru_cache(maxsize=512)
def _texture(path: Path) -> np.ndarray:
    return np.load(path)
