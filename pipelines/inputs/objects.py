"""Folders of meshes: which objects lie there, of what kind each is, and which half of them a setting is tuned on."""

import json
from collections.abc import Sequence
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput

MESH_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
MANIFEST = "MANIFEST.json"
SPLITS = ("all", "tune", "report")


def half_of(name: str) -> str:
    """'tune' or 'report', for an object's name (without suffix): the lowest bit of the first byte of its SHA-256.

    So an object stays in its half whatever else lies in the folder.
    """
    return "report" if sha256(name.encode()).digest()[0] % 2 else "tune"


def find_meshes(folder: str | Path, only: Sequence[str] | None = None, split: str = "all") -> list[Path]:
    """Mesh files in ``folder`` (or the file itself) whose names match one of the patterns, sorted by name.

    Args:
        folder: Where to look.
        only: Patterns of names without suffix; None takes all.
        split: 'all', or one of the halves of `half_of`.
    """
    folder = Path(folder)
    files = [folder] if folder.is_file() else sorted(folder.iterdir()) if folder.is_dir() else []
    # Folders often hold each object as .fbx beside other formats, so .fbx (which needs open3d) is taken by name alone.
    suffixes = (*MESH_SUFFIXES, ".fbx") if folder.is_file() else MESH_SUFFIXES
    meshes = [file for file in files if file.suffix.lower() in suffixes]
    chosen = [file for file in meshes if not only or any(fnmatch(file.stem, pattern) for pattern in only)]
    chosen = [file for file in chosen if split in ("all", half_of(file.stem))]
    if not chosen:
        raise BadInput(
            f"no meshes: {folder} holds {len(meshes)} files of type {', '.join(MESH_SUFFIXES)}"
            + (f", none of them named like {', '.join(only)}" if only else "")
            + (f", none in the half {split!r}" if split != "all" else "")
        )
    return chosen


def read_manifest(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Name of a mesh (without suffix) to its entry; empty where there is no manifest.

    Raises:
        BadInput: it is no JSON list of objects that have a ``name``.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return {}
    try:
        return {str(entry["name"]): entry for entry in json.loads(path.read_bytes())}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{path} is no list of objects with a name: {error}; mend it or move it away") from error
