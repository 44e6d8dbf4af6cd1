"""Assets to files: a table of formats, and one way to write that leaves a whole file or none."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from zero123pp.errors import BadInput
from zero123pp.files import check_folder, write_files
from zero123pp.own import check_own
from zero123pp.recon.export.compressed import check_compression
from zero123pp.recon.export.exchange import (
    encode_3mf,
    encode_obj,
    encode_ply,
    encode_stl,
    side_names,
)
from zero123pp.recon.export.frame import check_frame, placed
from zero123pp.recon.export.glb import encode_glb, encode_gltf
from zero123pp.recon.export.options import PRINTS, FileOptions
from zero123pp.recon.export.printing import Printed, check_wall, printable
from zero123pp.recon.export.quads import check_quads
from zero123pp.recon.export.usdz import check_usd, encode_usdz
from zero123pp.types import Part, TexturedMesh

EXPORTERS: dict[str, Callable[[Part, str, Mapping, FileOptions], dict[str, bytes]]] = {
    ".glb": encode_glb,
    ".gltf": encode_gltf,
    ".obj": encode_obj,
    ".ply": encode_ply,
    ".stl": encode_stl,
    ".3mf": encode_3mf,
    ".usdz": encode_usdz,
}
"""Suffix -> encoder of (asset in the file's frame, stem of the file name, extras, options): the bytes of each file by
name, the main one last."""


NORMAL_MAPS = (".glb", ".gltf", ".usdz")
"""Formats that carry one, with its tangents."""

_TEXTURES = {".obj": (None, "png"), ".ply": (None,), ".stl": (None,), ".3mf": (None,), ".usdz": (None, "png", "jpeg")}
_TEXTURE_HINT = "the texture beside an .obj is a PNG, a .usdz has JPEG or PNG, and .ply, .stl and .3mf have none"


_NO_FBX = "no maintained library for Python writes FBX, whose format is closed"


def written_by(path: str | Path) -> list[Path]:
    """All files that `save` may write for ``path``, the main one last; beside the file itself where that is a link."""
    suffix = Path(path).suffix.lower()
    path = Path(os.path.realpath(path) if os.path.islink(path) else path)
    beside = side_names(path.stem) if suffix == ".obj" else ()
    return [*(path.with_name(name) for name in beside), path]


def check_target(path: str | Path, *, overwrite: bool = True, options: FileOptions = FileOptions()) -> None:
    """Refuse early what `save` would refuse.

    Raises:
        MissingBackend: the format's library is not installed.
        BadInput: unknown suffix, options that the format cannot have, a folder in the way, a missing or read-only
            folder, a name that the file system does not take, a texture or material of somebody else's in the place of
            ours, or (without ``overwrite``) a file that exists.
    """
    path = Path(path)
    if path.suffix.lower() == ".fbx":
        raise BadInput(f"cannot write {path.name!r}: {_NO_FBX}; choose .glb, which Blender, Unity and Unreal read")
    if path.suffix.lower() not in EXPORTERS:
        known = ", ".join(EXPORTERS)
        raise BadInput(f"cannot write {path.name!r}: unknown suffix {path.suffix!r}; choose one of {known}")
    suffix = path.suffix.lower()
    check_frame(options, suffix)
    if options.texture_format not in _TEXTURES.get(suffix, (options.texture_format,)):
        raise BadInput(f"--texture-format {options.texture_format} does not go with {suffix}; {_TEXTURE_HINT}")
    if options.material != "matte" and suffix not in NORMAL_MAPS:
        raise BadInput(f"--material {options.material} does not go with {suffix}; choose {' or '.join(NORMAL_MAPS)}")
    if suffix == ".usdz":
        check_usd()
    if options.wall is not None:
        _check_print(options, suffix)
    if options.quads and suffix != ".obj":
        raise BadInput(f"--quads does not go with {suffix}: of these formats only .obj has faces of four corners")
    if options.quads:
        check_quads()
    if options.occlusion and suffix not in (".glb", ".gltf"):
        raise BadInput(f"--occlusion does not go with {suffix}; choose .glb or .gltf")
    if options.compress is not None:
        if suffix not in (".glb", ".gltf"):
            raise BadInput(f"--compress {options.compress} does not go with {suffix}; choose .glb or .gltf")
        check_compression(options.compress)
    *beside, main = written_by(path)
    for file in (*beside, main):
        check_folder(file)
        if not overwrite and file.exists():
            raise BadInput(f"{file} exists already; choose another name")
    for file in beside:
        check_own(file)


def _check_print(options: FileOptions, suffix: str) -> None:
    if suffix not in PRINTS:
        raise BadInput(f"--for-print does not go with {suffix}; choose {' or '.join(PRINTS)}")
    if options.quads:
        raise BadInput("--for-print does not go with --quads: its solid is made of triangles")
    if options.size is not None:
        check_wall(options.wall, options.size)


def for_print(asset: Part, options: FileOptions, suffix: str) -> Printed:
    """The asset at its size as a solid with the walls that are asked for, its origin where it shall be."""
    at_size = placed(asset, FileOptions(size=options.size), ".glb")
    done = printable(at_size, options.wall, colors=suffix != ".stl")
    return done._replace(mesh=placed(done.mesh, FileOptions(origin=options.origin), ".glb"))


def check_normal_map(path: str | Path) -> None:
    """BadInput where the format has no place for a normal map."""
    suffix = Path(path).suffix.lower()
    if suffix not in NORMAL_MAPS:
        raise BadInput(f"--normal-map does not go with {suffix}; choose {' or '.join(NORMAL_MAPS)}")


def save(
    asset: Part,
    path: str | Path,
    *,
    extras: Mapping | None = None,
    overwrite: bool = True,
    options: FileOptions = FileOptions(),
) -> None:
    """Write an asset; the file appears whole or not at all.

    Args:
        asset: in the world frame; that of the file is `zero123pp.recon.export.frame.FRAMES`, or as ``options`` say.
        path: its suffix picks the format. OBJ puts its material and texture beside it, under the same stem (or
            one of plain characters, see `zero123pp.recon.export.exchange.side_names`).
        extras: JSON-ready facts about the asset; a GLB carries them in ``asset.extras``, other formats have no place.
        overwrite: replace a file that exists.
        options: origin, size, axes, units, the texture's format, and the name in the file.

    Raises:
        BadInput: as `check_target`; also for a full disk, an empty mesh, or extras that JSON cannot hold.
    """
    check_target(path, overwrite=overwrite, options=options)
    suffix, path = Path(path).suffix.lower(), written_by(path)[-1]
    if not len((asset.mesh if isinstance(asset, TexturedMesh) else asset).faces):
        raise BadInput(f"cannot write {path.name}: the mesh has no faces")
    if options.wall is not None:
        asset, options = for_print(asset, options, suffix).mesh, replace(options, size=None, origin=None)
    contents = EXPORTERS[suffix](placed(asset, options, suffix), path.stem, extras or {}, options)
    main = contents.pop(path.stem + suffix)
    write_files(path.parent, contents | {path.name: main}, path.name)  # the name as given, "TOY.GLB" too
