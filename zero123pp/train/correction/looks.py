"""A folder of looks at fitted surfaces of known objects: what the network is shown, and what it should say."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.files import make_folder, whole_file
from zero123pp.recon.fitting import LOOK_CHANNELS, LOOK_COUNT


@dataclass(frozen=True)
class TrueLook:
    """A view of a fitted surface and the truth of it."""

    inputs: np.ndarray
    """(C, H, W), see `zero123pp.recon.fitting.correction.inputs`."""
    normals: np.ndarray
    """(3, H, W) of the true surface, unit, in the camera's axes."""
    offsets: np.ndarray
    """(H, W) depth of the true surface less that of the fitted one, voxels."""
    seen: np.ndarray
    """(H, W) bool: where the fitted surface is seen and the truth is known."""

    def mirrored(self) -> "TrueLook":
        """The same object in a mirror."""
        inputs, normals = self.inputs[..., ::-1].copy(), self.normals[..., ::-1].copy()
        pixels = inputs[LOOK_CHANNELS["pixels"]]
        # The pixels of a block, two by two with four channels each, change places as well.
        pixels[:] = pixels.reshape(2, 2, -1, *pixels.shape[1:])[:, ::-1].reshape(pixels.shape)
        for sideways in (LOOK_CHANNELS["raw"].start, LOOK_CHANNELS["smoothed"].start):
            inputs[sideways] *= -1
        normals[0] *= -1
        return TrueLook(inputs, normals, self.offsets[:, ::-1], self.seen[:, ::-1])


class LookStore:
    """``<name>.npz`` for each object, its looks numbered, in half precision."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @staticmethod
    def name_of(mesh: str, number: int) -> str:
        """Of the object that is made of a mesh, the mesh itself being number 0."""
        return f"{mesh}~{number}" if number else mesh

    @staticmethod
    def mesh_of(name: str) -> str:
        """Name of the mesh that the object ``name`` is made of."""
        return name.split("~")[0]

    def names(self) -> list[str]:
        """Of the objects, sorted.

        Raises:
            BadInput: there is none.
        """
        found = sorted(path.stem for path in self.folder.glob("*.npz"))
        if not found:
            raise BadInput(f"{self.folder} holds no looks; make them with 'run.py render looks'")
        return found

    def has(self, name: str) -> bool:
        """Whether an object's looks are there."""
        return self._path(name).is_file()

    def save(self, name: str, looks: list[TrueLook]) -> None:
        """Store the looks at an object, whole or not at all."""
        make_folder(self.folder)
        arrays = {}
        for number, look in enumerate(looks):
            for part in ("inputs", "normals", "offsets"):
                arrays[f"{part}_{number}"] = getattr(look, part).astype(np.float16)
            arrays[f"seen_{number}"] = look.seen
        with whole_file(self._path(name), shared=True) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    def load(self, name: str) -> list[TrueLook]:
        """The looks at an object, in half precision; BadInput when the file is damaged or of other inputs."""
        path = self._path(name)
        try:
            with np.load(path) as file:
                looks = [
                    TrueLook(*(file[f"{part}_{number}"] for part in ("inputs", "normals", "offsets", "seen")))
                    for number in range(len(file.files) // 4)
                ]
        except Exception as error:  # of numpy, zipfile, zlib and the parser of its headers
            raise BadInput(f"{path} is damaged: {error}; delete it and make it again") from error
        for look in looks:
            size = look.seen.shape
            shapes = [look.inputs.shape, look.normals.shape, look.offsets.shape]
            if len(size) != 2 or shapes != [(LOOK_COUNT, *size), (3, *size), size]:
                raise BadInput(
                    f"{path} has shapes {shapes}; expected {LOOK_COUNT} channels, delete it and make it again"
                )
        if not looks:
            raise BadInput(f"{path} holds no look; delete it and make it again")
        return looks

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"
