"""Where samples are written: tar shards, or InstantMesh's folders. Both keep whole what is done, and only that."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from zero123pp.errors import BadInput
from zero123pp.files import make_folder, write_file
from zero123pp.render import PICTURES, ViewSample, index_of, write_paths, write_shard, write_views

FAILURES = "failures.json"


class Layout(Protocol):
    """A way to keep samples, part by part."""

    def is_done(self, part: int) -> bool:
        """Whether a part is here already, whole."""
        ...

    def write(self, part: int, samples: Iterable[ViewSample], failures: Mapping[str, str]) -> int:
        """Keep a part; returns how many samples it has. ``failures`` is read after the last sample."""
        ...

    def failures(self) -> dict[str, str]:
        """Mesh to message, of all parts that are here."""
        ...

    def finish(self) -> None:
        """Write what sums up all parts that are here."""
        ...


class TarShards:
    """``views-000000.tar`` and its index for each part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def is_done(self, part: int) -> bool:
        """See `Layout`; a shard that is damaged is refused."""
        return self._tar(part).is_file() and bool(index_of(self._tar(part)))

    def write(self, part: int, samples: Iterable[ViewSample], failures: Mapping[str, str]) -> int:
        """See `Layout`."""
        return write_shard(self._tar(part), samples, failures)

    def failures(self) -> dict[str, str]:
        """See `Layout`."""
        found: dict[str, str] = {}
        for tar in sorted(self._folder.glob("*.tar")):
            found |= index_of(tar)["failures"]
        return found

    def finish(self) -> None:
        """Nothing more: the indices say it all."""

    def _tar(self, part: int) -> Path:
        return self._folder / f"views-{part:06d}.tar"


class InstantMeshFolders:
    """``rendering_zero123plus/MESH/PASS/QUERY/000.png ...``; a part is done when its list ``parts/000000.json`` is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def is_done(self, part: int) -> bool:
        """See `Layout`."""
        return self._list(part).is_file()

    def write(self, part: int, samples: Iterable[ViewSample], failures: Mapping[str, str]) -> int:
        """See `Layout`; a part that was begun is written over with the same bytes."""
        paths: dict[str, list[str]] = {}
        count = 0
        for sample in samples:
            path = "/".join(sample.key.rsplit("-", 2))  # MESH-PASS-QUERY
            write_views(self._folder, path, sample)
            paths.setdefault(sample.meta["group"], []).append(path)
            count += 1
        make_folder(self._list(part).parent)
        write_file(self._list(part), json.dumps({"paths": paths, "failures": dict(failures)}))
        return count

    def failures(self) -> dict[str, str]:
        """See `Layout`."""
        return {mesh: message for part in self._parts() for mesh, message in part["failures"].items()}

    def finish(self) -> None:
        """Writes valid_paths.json."""
        paths: dict[str, list[str]] = {}
        for part in self._parts():
            for category, more in part["paths"].items():
                paths.setdefault(category, []).extend(more)
        make_folder(self._folder / PICTURES)
        write_paths(self._folder, dict(sorted(paths.items())))

    def _list(self, part: int) -> Path:
        return self._folder / "parts" / f"{part:06d}.json"

    def _parts(self) -> list[dict[str, Any]]:
        try:
            return [json.loads(path.read_bytes()) for path in sorted((self._folder / "parts").glob("*.json"))]
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self._folder / 'parts'} holds a damaged list: {error}; delete it and render again"
            ) from error
