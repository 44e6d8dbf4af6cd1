"""The folder layout that InstantMesh fine-tunes Zero123++ on, read and written.

``ROOT/rendering_zero123plus/PATH/000.png`` is the query, ``001.png`` to ``006.png`` are the targets in view order, all
RGBA; ``ROOT/valid_paths.json`` maps a category to its list of PATHs. That trainer keeps the last 16 for validation.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.files import whole_folder, write_file
from zero123pp.images import encode_png, tile_sheet, untile_sheet
from zero123pp.render.sample import ViewSample, picture

PATHS = "valid_paths.json"
PICTURES = "rendering_zero123plus"


def is_instantmesh(folder: str | Path) -> bool:
    """Whether a folder is in this layout."""
    return (Path(folder) / PATHS).is_file() and (Path(folder) / PICTURES).is_dir()


class InstantMeshFolder:
    """Random access to the samples of a folder in this layout; there are no depths, normals or cameras in it."""

    def __init__(self, folder: str | Path) -> None:
        """Reads the list of paths.

        Raises:
            BadInput: no such layout, or a path that leaves the folder.
        """
        self._pictures = Path(folder) / PICTURES
        try:
            listed = json.loads((Path(folder) / PATHS).read_bytes())
            self.keys = [path for paths in listed.values() for path in paths]
            self.groups = [str(category) for category, paths in listed.items() for _ in paths]
            escaping = [key for key in self.keys if Path(key).is_absolute() or ".." in Path(key).parts]
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise BadInput(f"{folder} has no {PATHS} that maps categories to lists of paths: {error}") from error
        if escaping or not self.keys:
            raise BadInput(f"{folder}/{PATHS} lists {escaping[0] if escaping else 'nothing'}; expected paths inside")
        self.meshes = [mesh_of(key) for key in self.keys]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.keys)

    def __getitem__(self, number: int) -> ViewSample:
        """The sample; IndexError beyond the last, BadInput when a picture is missing or damaged."""
        key = self.keys[number]
        try:
            views = [picture((self._pictures / key / f"{view:03d}.png").read_bytes(), "RGBA") for view in range(7)]
            return ViewSample(key, views[0], tile_sheet(np.stack(views[1:])), None, None, {"mesh": self.meshes[number]})
        except (OSError, ValueError, SyntaxError) as error:
            raise BadInput(f"{self._pictures / key}: {error}") from error


def mesh_of(key: str) -> str:
    """The mesh that a path belongs to: ours are MESH/PASS/QUERY; those of others have one render a path."""
    *mesh, number, query = ["", "", *key.split("/")]
    ours = any(mesh) and number.isdigit() and query.removesuffix("m").isdigit()
    return "/".join(mesh[2:]) if ours else key


def write_views(folder: str | Path, path: str, sample: ViewSample) -> None:
    """Write the seven pictures of one sample under ``path``; the list is another matter, see `write_paths`."""
    pictures = [sample.query, *untile_sheet(sample.sheet)]
    with whole_folder(Path(folder) / PICTURES / path) as target:
        for view, pixels in enumerate(pictures):
            (target / f"{view:03d}.png").write_bytes(encode_png(pixels, compress_level=1))


def write_paths(folder: str | Path, categories: Mapping[str, Sequence[str]]) -> None:
    """Write the list of paths, category by category."""
    write_file(Path(folder) / PATHS, json.dumps({name: list(paths) for name, paths in categories.items()}, indent=1))
