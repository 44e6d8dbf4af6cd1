"""MANIFEST.json beside a folder of meshes: where each object comes from, and of what kind it is."""

import json
from pathlib import Path
from typing import Any

from zero123pp.errors import BadInput

MANIFEST = "MANIFEST.json"


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
