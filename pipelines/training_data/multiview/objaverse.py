"""Objects of Objaverse and Objaverse-XL: chosen by what their annotations say, found in the cache, fetched if allowed.

Objaverse 1.0 (Deitke et al. 2022, arXiv 2212.08051) is read from the cache of the package ``objaverse``
(``~/.objaverse``), with or without the package: ``hf-objaverse-v1/object-paths.json.gz`` (uid to path),
``metadata/000-000.json.gz`` ... (uid to annotation), ``lvis-annotations.json.gz`` (category to uids) and ``glbs/``.
Objaverse-XL (2023, arXiv 2307.05663) knows its files by the package alone.
"""

import contextlib
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from zero123pp.configs import describe
from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.files import make_folder, write_file
from zero123pp.pipelines.inputs import MESH_SUFFIXES

OBJECTS = "objects.json"
"""The objects that were chosen, beside the samples: a run goes on with them whatever the annotations become."""

INSTALL = "pip install 'zero123pp[objaverse]'"

_VERSION = "hf-objaverse-v1"
_LVIS = "lvis-annotations.json.gz"
_PATHS = "object-paths.json.gz"
_MAX_BYTES = 2**31


@dataclass(frozen=True)
class ObjaverseFilter:
    """Which objects are taken; an annotation that does not say what is asked for does not pass."""

    source: Literal["objaverse", "lvis", "xl"] = "objaverse"
    """All of 1.0 (800 thousand), its 47 thousand with an LVIS category, or XL (10 million, of many formats)."""
    licences: tuple[str, ...] = ()
    """As annotated, without regard to case: by, by-sa, by-nc, by-nc-sa, cc0 in 1.0; [] takes all."""
    faces: tuple[int, ...] = ()
    """Smallest and largest number of faces; [] takes all."""
    animated: bool = True
    """Also those with animations; they are rendered as they stand in the file."""
    textured: bool = False
    """Only those with at least one texture."""
    categories: tuple[str, ...] = ()
    """Of LVIS, for source=lvis; [] takes all."""
    uids: str = ""
    """File with a list of uids, one a line or as JSON: only those."""
    limit: int = 0
    """At most so many, in the order of their uids; 0 for no end."""

    def __post_init__(self) -> None:
        if self.faces and not (len(self.faces) == 2 and 0 <= self.faces[0] <= self.faces[1]):
            raise ConfigError(f"faces is {list(self.faces)}; expected [least, most] or []")
        if self.limit < 0:
            raise ConfigError(f"limit is {self.limit}; expected 0 or more")
        if self.categories and self.source != "lvis":
            raise ConfigError(f"categories need source=lvis, not {self.source}")
        unsaid = [name for name in ("faces", "textured") if getattr(self, name)] + ["animated"] * (not self.animated)
        if self.source == "xl" and unsaid:
            raise ConfigError(f"the annotations of Objaverse-XL do not say {unsaid[0]}; leave it out")


@dataclass(frozen=True)
class Chosen:
    """One object."""

    uid: str
    file: str
    """Relative to the cache; for XL the address of the object."""
    group: str
    """LVIS category, or where it is from."""
    licence: str
    """As annotated."""
    more: dict[str, Any]
    """What the package needs to fetch an object of XL; empty for others."""


class Cache:
    """The package's cache folder, and the package where a network may be asked."""

    def __init__(self, folder: str | Path, *, download: bool = False) -> None:
        """``download`` agrees to fetch annotations and objects that are not here."""
        self.folder, self.download = Path(folder).expanduser(), download
        self._paths: dict[str, Path] = {}

    def choose(self, wanted: ObjaverseFilter) -> list[Chosen]:
        """The objects that pass, by uid; BadInput where none does, MissingBackend where annotations are not here."""
        some = None if not wanted.uids else _read_uids(Path(wanted.uids))
        found = self._of_xl(wanted) if wanted.source == "xl" else self._of_first(wanted)
        chosen = sorted((each for each in found if some is None or each.uid in some), key=lambda each: each.uid)
        if not chosen:
            fetched = "" if self.download else "; what is not in the cache is fetched with --download"
            raise BadInput(f"no object of {self.folder} passes: {_said(wanted)}{fetched}")
        return chosen[: wanted.limit or None]

    def _of_first(self, wanted: ObjaverseFilter) -> Iterator[Chosen]:
        paths = self._annotations(_PATHS, lambda package: package._load_object_paths())
        groups: dict[str, str] = {}
        if wanted.source == "lvis":
            lvis = self._annotations(_LVIS, lambda package: package.load_lvis_annotations())
            unknown = set(wanted.categories) - set(lvis)
            if unknown:
                raise BadInput(f"LVIS has no category {min(unknown)!r}; it has {len(lvis)}, such as {min(lvis)!r}")
            groups = {uid: name for name in wanted.categories or lvis for uid in lvis[name]}
        uids = [uid for uid in (groups or paths) if uid in paths]
        folders: dict[str, list[str]] = {}
        for uid in uids:
            folders.setdefault(PurePosixPath(paths[uid]).parent.name, []).append(uid)
        for folder, inside in sorted(folders.items()):  # one file of annotations at a time: all together are gigabytes
            about = self._annotations(
                f"metadata/{folder}.json.gz", lambda package, inside=inside: package.load_annotations(inside)
            )
            for uid in inside:
                file = PurePosixPath(paths[uid])
                if file.is_absolute() or ".." in file.parts:
                    raise BadInput(f"{self.folder / _VERSION / _PATHS} leads {uid} out of the cache: {file}")
                is_here = self.download or (self.folder / _VERSION / file).is_file()
                if is_here and uid in about and passes(about[uid], wanted):
                    licence = str(about[uid].get("license"))
                    yield Chosen(uid, f"{_VERSION}/{file}", groups.get(uid, "objaverse"), licence, {})

    def _of_xl(self, wanted: ObjaverseFilter) -> Iterator[Chosen]:
        table = self._package("objaverse.xl").get_annotations(download_dir=str(self.folder))
        licences = {name.lower() for name in wanted.licences}
        for row in table.to_dict("records"):
            suffix = "." + str(row["fileType"]).lower().lstrip(".")
            if suffix in MESH_SUFFIXES and (not licences or str(row["license"]).lower() in licences):
                kept = {key: row[key] for key in ("fileIdentifier", "source", "sha256", "fileType", "metadata")}
                uid = str(row["sha256"])
                yield Chosen(uid, f"{uid}{suffix}", str(row["source"]), str(row["license"]), kept)

    def _annotations(self, name: str, fetch: Callable[[Any], Any]) -> dict[str, Any]:
        file = self.folder / _VERSION / name
        if not file.is_file():
            if not self.download:
                raise MissingBackend(f"{file} is not here; allow the download with --download, or copy the cache there")
            with _words_to_stderr(), _its_trouble(name):
                fetch(self._package("objaverse"))
        try:
            with gzip.open(file) as stream:
                content = json.loads(stream.read(_MAX_BYTES))
        except (OSError, EOFError, ValueError, RecursionError) as error:
            raise BadInput(f"{file} is no annotation of Objaverse: {error}; delete it and fetch it again") from error
        if not isinstance(content, dict):
            raise BadInput(f"{file} holds a {type(content).__name__}; expected objects by their uids")
        return content

    def mesh(self, each: Chosen) -> Path:
        """Where the file of an object is, or will be; one of XL tells only by its name which it is."""
        return Path(each.file) if each.more else self.folder / each.file

    def supply(self, meshes: Sequence[Path], by_name: Mapping[str, Chosen]) -> dict[Path, Path]:
        """Have the files of some meshes here, where a network may be asked.

        Args:
            meshes: as `mesh` gave them.
            by_name: all objects, by the names of their meshes.

        Returns:
            Where those of XL lie; what could not be had is nowhere.

        Raises:
            MissingBackend: the network, or the package, is not here.
        """
        objects = [by_name[mesh.name] for mesh in meshes]
        first = [each.uid for each in objects if not each.more and not self.mesh(each).is_file()]
        rest = [each for each in objects if each.more and each.uid not in self._paths]
        with _words_to_stderr(), _its_trouble("objects"):
            if first and self.download:
                self._package("objaverse").load_objects(first)
            if rest:
                import pandas

                table = pandas.DataFrame([each.more for each in rest])
                got = self._package("objaverse.xl").download_objects(table, str(self.folder), processes=1)
                self._paths |= {e.uid: Path(got[key]) for e in rest if (key := e.more["fileIdentifier"]) in got}
        return {self.mesh(each): self._paths[each.uid] for each in objects if each.uid in self._paths}

    def _package(self, name: str) -> Any:
        if not self.download:
            raise MissingBackend(f"{name} asks the network, even for its lists; allow it with --download")
        import importlib

        try:
            package = importlib.import_module(name)
        except ImportError as error:
            raise MissingBackend(f"downloads need the package objaverse ({error}); {INSTALL}") from error
        if name == "objaverse":  # it has no argument for its folder
            package.BASE_PATH, package._VERSIONED_PATH = str(self.folder), str(self.folder / _VERSION)
        return package


def passes(about: dict[str, Any], wanted: ObjaverseFilter) -> bool:
    """Whether an annotation of Objaverse 1.0 is of an object that is wanted."""
    if wanted.licences and str(about.get("license")).lower() not in {name.lower() for name in wanted.licences}:
        return False
    if wanted.faces and not wanted.faces[0] <= _count(about.get("faceCount")) <= wanted.faces[1]:
        return False
    if not wanted.animated and _count(about.get("animationCount")) != 0:
        return False
    glb = (about.get("archives") or {}).get("glb") or {}
    return not wanted.textured or _count(glb.get("textureCount")) > 0


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def chosen_once(cache: Cache, wanted: ObjaverseFilter, out: Path) -> list[Chosen]:
    """`Cache.choose`, or what an earlier run into ``out`` has chosen; BadInput where that had another filter."""
    path, asked = out / OBJECTS, json.loads(json.dumps(describe(wanted)))
    if path.is_file():
        try:
            kept = json.loads(path.read_bytes())
            if kept["filter"] != asked:
                raise BadInput(f"{out} holds objects of {kept['filter']}; take the same --where, or another --out")
            return [Chosen(*each) for each in kept["objects"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} is damaged: {error}; delete it and choose again") from error
    chosen = cache.choose(wanted)
    make_folder(out)
    objects = [[each.uid, each.file, each.group, each.licence, each.more] for each in chosen]
    write_file(path, json.dumps({"filter": asked, "objects": objects}, default=str))
    return chosen


def _read_uids(path: Path) -> set[str]:
    try:
        text = path.read_text("utf-8")
        listed = json.loads(text) if text.lstrip().startswith("[") else text.split()
        return {str(uid).removesuffix(".glb") for uid in listed}
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot read the uids in {path}: {error}") from error


def _said(wanted: ObjaverseFilter) -> str:
    given = [f"{name}={value}" for name, value in describe(wanted).items() if value != getattr(ObjaverseFilter(), name)]
    return ", ".join(given) or "without any filter"


@contextlib.contextmanager
def _words_to_stderr() -> Iterator[None]:
    """The package prints its progress where results belong."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _its_trouble(what: str) -> Iterator[None]:
    try:
        yield
    except MissingBackend:
        raise
    except Exception as error:  # the package lets everything through that a network can do
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise MissingBackend(f"Objaverse's {what} cannot be fetched ({reason}); run the same command again") from error
