"""From an asset that is finished to other files of it: fewer triangles, levels of detail, a hull, a smaller texture."""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.recon.export.exporters import check_normal_map, check_target, save, written_by
from zero123pp.recon.export.fewer_faces import geometry_of, hull, with_faces
from zero123pp.recon.export.frame import placed
from zero123pp.recon.export.options import FileOptions
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import is_watertight, welded
from zero123pp.recon.texturing import with_normal_map, with_tangents
from zero123pp.types import Mesh, Part, TexturedMesh

COLLISIONS = ("hull",)
READS = (".glb", ".gltf")
MOST_LODS = 8
MOST_TEXELS = 8192
"""Of a side."""


class Written(NamedTuple):
    """One file of an export."""

    path: Path
    faces: int
    watertight: bool


def export(
    source: Part | str | Path,
    out: str | Path,
    *,
    faces: int | None = None,
    lods: int = 1,
    collision: str | None = None,
    texture_size: int | None = None,
    normal_map: bool = False,
    extras: Mapping | None = None,
    options: FileOptions = FileOptions(),
) -> list[Written]:
    """Write an asset once more, without fitting anything again.

    Args:
        source: the asset in the world frame, or a .glb or .gltf of it with one mesh.
        out: the file; its suffix picks the format (`zero123pp.recon.export.EXPORTERS`).
        faces: triangles at most, None keeps all.
        lods: levels of detail, each with half the triangles of the one before; those after the first lie beside
            ``out`` as toy_lod1.glb, toy_lod2.glb, ... All have the same texture and texture coordinates.
        collision: 'hull' also writes toy_collision.glb, a convex hull.
        texture_size: texels of the texture's longer side; it is never enlarged.
        normal_map: every file with fewer triangles than the source gets a normal map and tangents, so that it is shaded
            as the source is; they do so anyway where the source has a normal map.
        extras: as for `save`; None takes those of the file.
        options: as for `save`.

    Returns:
        The files, ``out`` first.

    Raises:
        BadInput: a file that cannot be read or is not one mesh, a wrong value, or a file that cannot be written, would
            replace the source, or lies beside ``out`` and is not by this program.
        MissingBackend: fewer triangles are asked for, and meshoptimizer is not installed.
    """
    out = Path(out)
    names = _names(out, lods, collision)
    if texture_size is not None and not 1 <= texture_size <= MOST_TEXELS:
        raise BadInput(f"a texture of {texture_size} px is asked for; expected 1 to {MOST_TEXELS}")
    if normal_map:
        check_normal_map(out)
    _check_targets(names, source, options)
    asset, extras = (source, extras or {}) if isinstance(source, Part) else _read(Path(source), extras)
    if texture_size is not None and isinstance(asset, TexturedMesh):
        asset = _with_texture(asset, texture_size)
    asset = placed(asset, FileOptions(origin=options.origin, size=options.size), ".glb")  # once, for all that follow
    options = replace(options, origin=None, size=None)
    source_of_normals = asset
    asset = asset if faces is None else with_faces(asset, faces)
    count = len(geometry_of(asset).faces)
    made = [asset, *(with_faces(asset, max(count >> level, 4)) for level in range(1, lods))]
    if normal_map or _has_normal_map(source_of_normals):
        made = [_shaded_like(source_of_normals, each) for each in made]
    if normal_map and not any(map(_has_normal_map, made)):
        raise BadInput("--normal-map has nothing to show: no file has fewer triangles than the source; add --faces")
    made += [] if collision is None else [hull(asset)]
    written = []
    for path, part in zip(names, made):
        mesh = geometry_of(part)
        closed = is_watertight(welded(Mesh(mesh.vertices, mesh.faces)).faces)
        save(part, path, extras=extras, options=options)
        written.append(Written(path, len(mesh.faces), closed))
    return written


def _has_normal_map(asset: Part) -> bool:
    return isinstance(asset, TexturedMesh) and asset.normal_map is not None


def _shaded_like(source: Part, asset: Part) -> Part:
    """The asset with the normals of ``source`` in a normal map, unless it is the source."""
    if asset is source or not isinstance(asset, TexturedMesh):
        return asset
    return with_normal_map(asset, source, max(asset.base_color.shape[:2]))


def _names(out: Path, lods: int, collision: str | None) -> list[Path]:
    """The files of an export, ``out`` first."""
    if not 1 <= lods <= MOST_LODS:
        raise BadInput(f"{lods} levels of detail are asked for; expected 1 to {MOST_LODS}")
    if collision not in (None, *COLLISIONS):
        raise BadInput(f"collision is {collision!r}; expected {' or '.join(COLLISIONS)}")
    names = [out, *(out.with_stem(f"{out.stem}_lod{level}") for level in range(1, lods))]
    return names if collision is None else [*names, out.with_stem(f"{out.stem}_collision")]


def _check_targets(names: list[Path], source: Part | str | Path, options: FileOptions) -> None:
    """Refuse before any work what cannot be written, or would replace the source or somebody else's file."""
    for path in names:
        check_target(path, options=options)
        if not isinstance(source, Part) and any(_is_same(file, Path(source)) for file in written_by(path)):
            raise BadInput(f"{path} would write over {source}, which is read; choose another name")
    for path in names[1:]:
        if os.path.lexists(path) and not _is_own(path):
            raise BadInput(f"{path} was not written by this program and would be replaced; choose another name")


def _is_same(path: Path, source: Path) -> bool:
    return path.exists() and source.exists() and path.samefile(source)


def _is_own(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return b"zero123pp" in file.read(1024)
    except OSError:
        return False


def _read(path: Path, extras: Mapping | None) -> tuple[Part, Mapping]:
    """The one mesh of a file, and what its asset.extras say."""
    if path.suffix.lower() not in READS:
        raise BadInput(f"cannot export {path.name}: expected a {' or '.join(READS)} of this program")
    parts = load_parts(path, normal_maps=True)
    if len(parts) != 1:
        raise BadInput(f"cannot export {path.name}: it has {len(parts)} meshes or materials; expected one")
    part = with_tangents(parts[0]) if _has_normal_map(parts[0]) else parts[0]
    return part, _extras(path) if extras is None else extras


def _extras(path: Path) -> Mapping:
    content = path.read_bytes()
    if content[:4] == b"glTF":
        content = content[20 : 20 + struct.unpack_from("<I", content, 12)[0]]
    found = json.loads(content)["asset"].get("extras", {})
    return found if isinstance(found, dict) else {}


def _with_texture(asset: TexturedMesh, size: int) -> TexturedMesh:
    """The asset with a texture of at most ``size`` texels a side, each the mean of those it stands for."""
    from PIL import Image

    box = Image.Resampling.BOX
    height, width = asset.base_color.shape[:2]
    scale = size / max(height, width)
    if scale >= 1:
        return asset
    shape = (max(round(width * scale), 1), max(round(height * scale), 1))

    def smaller(texels: np.ndarray | None) -> np.ndarray | None:
        return None if texels is None else np.asarray(Image.fromarray(np.array(texels)).resize(shape, box))

    return replace(asset, base_color=smaller(asset.base_color), confidence=None, normal_map=smaller(asset.normal_map))
