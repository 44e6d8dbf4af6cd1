"""Folders of training samples: tar shards that WebDataset's tools read, an index beside each, random access.

A folder holds ``views-000000.tar``, ``views-000001.tar``, ... with the members ``KEY.query.png``, ``KEY.views.png``,
``KEY.depth.png``, ``KEY.normals.png``, ``KEY.json``, and beside each tar ``views-000000.index.json``: where they lie.
The tar appears last and whole, so whatever tar is there is complete. Shards of other tools, without index, are scanned.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from zero123pp.errors import BadInput
from zero123pp.files import make_folder, whole_file, write_file
from zero123pp.render.sample import FILES, ViewSample, decode, encode

__all__ = ["SampleFolder", "ShardFolder", "ViewSample", "index_of", "open_samples", "read_samples", "write_shard"]

MAX_KEY_CHARACTERS = 80
"""Longer names would need a second header block in the tar."""

UNGROUPED = "object"
"""Group of meshes that no manifest puts into one."""

_MAX_MEMBER_BYTES = 2**28
_MAX_INDEX_BYTES = 2**28


class SampleFolder(Protocol):
    """Samples of a folder by number, in a fixed order."""

    keys: Sequence[str]
    """Of all samples."""
    meshes: Sequence[str]
    """Name of the mesh of each sample: split training from validation by it, never by sample."""
    groups: Sequence[str]
    """Group of each sample's mesh in the manifest, `UNGROUPED` where it has none: to balance rare kinds with others."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, number: int) -> ViewSample:
        """A sample; IndexError beyond the last."""
        ...


def open_samples(folder: str | Path, *, depth: bool = True, normals: bool = True) -> SampleFolder:
    """The samples of a folder of shards, or of one in InstantMesh's layout, whichever it is.

    Args:
        folder: what ``run.py render multiview`` wrote.
        depth: decode the depths too; False leaves the field None and saves the time.
        normals: likewise.

    Raises:
        BadInput: no samples there, or a shard that is damaged.
    """
    from zero123pp.render.instantmesh import InstantMeshFolder, is_instantmesh

    if is_instantmesh(folder):
        return InstantMeshFolder(folder)
    return ShardFolder(folder, depth=depth, normals=normals)


def read_samples(folder: str | Path, *, depth: bool = True, normals: bool = True) -> Iterator[ViewSample]:
    """All samples of a folder, one after the other, see `open_samples`."""
    samples = open_samples(folder, depth=depth, normals=normals)
    return (samples[number] for number in range(len(samples)))


@dataclass(frozen=True)
class _Place:
    """Where a sample lies."""

    tar: Path
    files: Mapping[str, tuple[int, int]]
    """File name after the key to offset and size in the tar, bytes."""


class ShardFolder:
    """Random access to the samples of all shards of a folder; may be pickled and used by many processes."""

    def __init__(self, folder: str | Path, *, depth: bool = True, normals: bool = True) -> None:
        """Reads the indices, no picture.

        Args:
            folder: of ``*.tar`` shards.
            depth: decode the depths too.
            normals: decode the normals too.

        Raises:
            BadInput: no shards there, or a damaged one.
        """
        skipped = [FILES[name] for name, wanted in (("depth", depth), ("normals", normals)) if not wanted]
        self.keys: list[str] = []
        self.meshes: list[str] = []
        self.groups: list[str] = []
        self._places: list[_Place] = []
        tars = sorted(Path(folder).glob("*.tar"))
        if not tars:
            raise BadInput(f"{folder} has no shards (*.tar) of samples; make them with: run.py render multiview")
        for tar in tars:
            for key, entry in index_of(tar)["samples"].items():
                files = {name: tuple(place) for name, place in entry["files"].items() if name not in skipped}
                self.keys.append(key)
                self.meshes.append(entry["mesh"])
                self.groups.append(str(entry.get("group", UNGROUPED)))
                self._places.append(_Place(tar, files))

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.keys)

    def __getitem__(self, number: int) -> ViewSample:
        """The sample; IndexError beyond the last, BadInput when it is damaged."""
        place = self._places[number]
        try:
            with place.tar.open("rb") as file:
                return decode(self.keys[number], {name: _read(file, *at) for name, at in place.files.items()})
        except (BadInput, OSError) as error:
            raise BadInput(f"{place.tar}: {error}") from error


def _read(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise BadInput("it ends too early; render the shard again")
    return data


def index_path(tar: Path) -> Path:
    """Where a shard's index lies."""
    return tar.with_suffix(".index.json")


def index_of(tar: Path) -> dict[str, Any]:
    """The index of a shard: ``samples`` (key to ``files``, ``mesh``, ``group``), ``failures`` by mesh, ``bytes``.

    Raises:
        BadInput: shard or index damaged; the message names the file.
    """
    path = index_path(tar)
    if not path.is_file():
        return _scan(tar)
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            raise ValueError(f"more than {_MAX_INDEX_BYTES} bytes")
        index = json.loads(path.read_bytes())
        places = [place for entry in index["samples"].values() for place in entry["files"].values()]
        size = tar.stat().st_size
        if index["bytes"] != size:
            raise BadInput(f"{tar} is damaged: {size} bytes instead of {index['bytes']}; delete it and render again")
        if not all(
            0 <= offset and 0 <= length <= _MAX_MEMBER_BYTES and offset + length <= size for offset, length in places
        ):
            raise ValueError("a place lies outside the shard")
        if not all(isinstance(entry["mesh"], str) for entry in index["samples"].values()):
            raise ValueError("a mesh has no name")
    except BadInput:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path} is no index of a shard ({error}); delete it and {tar.name} and render again") from error
    return index


def _scan(tar: Path) -> dict[str, Any]:
    """The index of a shard that has none, from its headers; meshes from the meta data."""
    samples: dict[str, dict[str, Any]] = {}
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                key, _, name = member.name.partition(".")
                if member.isfile() and name in FILES.values() and member.size <= _MAX_MEMBER_BYTES:
                    files = samples.setdefault(key, {"files": {}, "mesh": key})["files"]
                    files[name] = (member.offset_data, member.size)
                    if name == FILES["meta"]:
                        samples[key] |= _whose(json.loads(archive.extractfile(member).read()), key)
    except (tarfile.TarError, OSError, ValueError, AttributeError, RecursionError) as error:
        raise BadInput(f"{tar} is damaged: {error}; delete it and render again") from error
    return {"samples": samples, "failures": {}, "bytes": tar.stat().st_size}


def write_shard(tar: Path, samples: Iterable[ViewSample], failures: Mapping[str, str] | None = None) -> int:
    """Write a shard and its index, whole or not at all; the same samples give the same bytes.

    Args:
        tar: the file; it is the last to appear.
        samples: what goes in, drawn one by one.
        failures: mesh to message of those that gave no samples; read after the last sample was drawn, so the caller's
            generator may fill it.

    Returns:
        How many samples it has.
    """
    make_folder(tar.parent)
    index: dict[str, Any] = {"samples": {}}
    with whole_file(tar) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive:
            for sample in samples:
                index["samples"][sample.key] = _add(archive, sample)
        index |= {"failures": dict(failures or {}), "bytes": temporary.stat().st_size}
        write_file(index_path(tar), json.dumps(index))
    return len(index["samples"])


def _add(archive: tarfile.TarFile, sample: ViewSample) -> dict[str, Any]:
    """Append one sample; its entry of the index."""
    if len(sample.key) > MAX_KEY_CHARACTERS or "." in sample.key or "/" in sample.key:
        raise BadInput(f"sample key {sample.key!r} must have at most {MAX_KEY_CHARACTERS} characters, no dot, no slash")
    places = {}
    for name, data in encode(sample).items():
        header = tarfile.TarInfo(f"{sample.key}.{name}")  # time 0, owner 0: equal bytes on every machine
        header.size = len(data)
        places[name] = (archive.offset + tarfile.BLOCKSIZE, len(data))
        archive.addfile(header, io.BytesIO(data))
    return {"files": places} | _whose(sample.meta, sample.key)


def _whose(meta: Mapping[str, Any], key: str) -> dict[str, str]:
    """Mesh and group of a sample."""
    return {"mesh": str(meta.get("mesh", key)), "group": str(meta.get("group", UNGROUPED))}
