"""What a run will write, compared with what it reads and with itself, before any work is done."""

import argparse
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands import common_flags

_READ = (
    *("image", "views", "normals", "cameras", "depth", "depth_from", "texture_mesh", "preset"),
    *("model", "text_model", "text_controlnet", "unet", "controlnet", "normal_controlnet", "refiner"),
)
"""Flags that may name files or folders to read."""


_MESHES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".3mf", ".usdz", ".fbx")


def complete(args: argparse.Namespace) -> None:
    """Take the picture that was named without a flag, and name the output after it where none was.

    Sets ``args.image``, ``args.out`` and ``args.is_new``, whether that file must not be there yet.

    Raises BadInput for what is no picture, and for an output that nobody named and that is there already.
    """
    from zero123pp.pipelines.inputs import view_files

    for flag in ("out", "report", "preview", "turntable", "save_stages"):
        if getattr(args, flag) == "":
            what = "folder" if flag == "save_stages" else "file"
            raise BadInput(f"--{flag.replace('_', '-')} is empty; name a {what}")
    if args.pictures:
        args.image = _the_picture(args.pictures, args.image)
    args.is_new = args.out is None
    if not args.is_new:
        return
    given = args.image or args.views
    several = args.image is None and len(view_files(given)) > 1
    name = "" if not given or "\0" in given or several else Path(given).name
    if not name or name == "..":
        raise BadInput("--out is missing; name the file to write, for example --out toy.glb")
    if not Path(given).parent.is_dir():
        raise BadInput(f"there is no picture {given}; check the path")
    stem = name if Path(given).is_dir() else Path(given).stem
    args.out = str(Path(given).with_name(f"{stem}.glb"))
    refuse_existing(args.out)


def refuse_existing(path: str) -> None:
    """BadInput when there is a file at ``path`` that the user has not named as the output."""
    if os.path.lexists(path):
        raise BadInput(f"{path} is there already; give --out another name, or --out {path} to write over it")


def _the_picture(named: Sequence[str], flagged: str | None) -> str:
    first = named[0]
    if len(named) > 1:
        raise BadInput(
            f"{len(named)} pictures named; a run makes one mesh of one: 'batch --images FOLDER --out results' takes "
            "many, and --views several pictures of one object"
        )
    if flagged is not None:
        raise BadInput(f"both {first} and --image {flagged} given; name one picture")
    if "\0" not in first and os.path.isdir(first):
        raise BadInput(
            f"{first} is a folder: 'batch --images {first} --out results' makes a mesh of each picture in it, and "
            f"--views {first} one of posed pictures"
        )
    if first.lower().endswith(_MESHES):
        raise BadInput(f"{first} is a mesh, not a picture: 'view {first}' shows it, 'export {first}' writes more of it")
    return first


def check(args: argparse.Namespace, options: Mapping) -> None:
    """Refuse at once a file that cannot be written, or that would land on another one.

    Raises:
        BadInput: two of the outputs are one file (also where a file system does not tell capitals), an output is one of
            the inputs, or a file beside the asset or a stage would replace one that this program did not write.
    """
    from zero123pp.files import check_folder, check_new_folder
    from zero123pp.pipelines.asset import check_report, check_stages
    from zero123pp.recon.export import (
        PREVIEW_SUFFIXES,
        TURNTABLE_SUFFIXES,
        FileOptions,
        check_export,
        check_normal_map,
        check_picture,
        check_target,
    )

    if args.save_stages:
        check_new_folder(args.save_stages)
    if args.report:
        check_folder(Path(args.report))
    if "\0" in args.out:
        check_target(args.out)
    outputs = list(_outputs(args))
    seen: dict[str, str] = {}
    for words, path in outputs:
        other = seen.setdefault(_key(path), words)
        if other != words:
            raise BadInput(f"{other} and {words} would write the same file {path}; choose another name for one of them")
    for words, path in outputs:
        for given, source in _inputs(args):
            if _is_same(path, source):
                raise BadInput(f"{words} would write over {source}, which {given} reads; choose another name")
    check_target(args.out, options=FileOptions(**options))
    if args.for_print and args.size is None:
        raise BadInput("--for-print needs --size, the length in metres that it is printed at: --size 0.1 for 10 cm")
    check_export(args.out, **common_flags.levels(args))
    if args.normal_map:
        check_normal_map(args.out)
    for picture, suffixes in ((args.preview, PREVIEW_SUFFIXES), (args.turntable, TURNTABLE_SUFFIXES)):
        if picture:
            check_picture(picture, suffixes)
    if args.report:
        check_report(args.report)
    if args.save_stages:
        check_stages(args.save_stages)


def _outputs(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Every file that will be written, and the flag that says so."""
    from zero123pp.pipelines.asset import STAGE_FILES
    from zero123pp.recon.export import files_of, written_by

    for path in written_by(args.out):
        yield f"--out {args.out}", path
    for path in files_of(args.out, **common_flags.levels(args))[1:]:
        yield f"--lods or --collision beside --out {args.out}", path
    for name in ("report", "preview", "turntable"):
        if path := getattr(args, name):
            yield f"--{name} {path}", Path(path)
    if args.save_stages:
        for name in ("", *STAGE_FILES):
            yield f"--save-stages {args.save_stages}", Path(args.save_stages, name)


def _inputs(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Every file that will be read, and the flag that names it."""
    from zero123pp.pipelines.inputs import view_files

    for setting in args.set:
        key, _, value = setting.partition("=")
        if key.strip() == "preview.back" and "\0" not in value and os.path.isfile(value.strip()):
            yield "--set preview.back", Path(value.strip())
    for name in _READ:
        for given in view_files(getattr(args, name, None)):
            if not isinstance(given, str) or "\0" in given or not os.path.exists(given):
                continue
            path, flag = Path(given), f"--{name.replace('_', '-')}"
            if path.is_dir():
                yield from ((flag, file) for file in _inside(path, name))
            else:
                yield flag, path
                yield from ((flag, file) for file in _named_in(path))


def _inside(folder: Path, name: str) -> Iterator[Path]:
    """The files of a folder that are read: of a capture its pictures, masks and cameras, of a checkpoint all."""
    from zero123pp.pipelines.inputs import is_picture

    for home, _, files in os.walk(folder):
        yield from (Path(home, file) for file in files if name != "views" or is_picture(file) or file.endswith(".json"))


def _named_in(file: Path, known: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """What a mesh file names beside itself: materials and textures of an OBJ, buffers and pictures of a glTF."""
    if file.suffix.lower() not in (".obj", ".mtl", ".gltf") or not file.is_file() or file in known:
        return
    with open(file, errors="replace") as opened:
        start = opened.read(2**20)
    names = re.findall(r'^\s*(?:mtllib|map_\w+)\s+(.+?)\s*$|"uri"\s*:\s*"([^"]+)"', start, re.MULTILINE)
    for name in {each for pair in names for each in pair if each}:
        found = file.with_name(Path(name.split("/")[-1]).name or "_")
        if found.is_file() and found != file:
            yield found
            yield from _named_in(found, known | {file})


def _is_same(output: Path, source: Path) -> bool:
    try:
        return output.samefile(source)
    except OSError:  # what is not there yet
        return os.path.realpath(output) == os.path.realpath(source)


def _key(path: Path) -> str:
    """Equal for paths that may be one file on any file system."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()
