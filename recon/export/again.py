"""From an asset that is finished to other files of it: fewer triangles, levels of detail, a hull, a smaller texture."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.files import write_file, write_files
from zero123pp.own import check_own
from zero123pp.recon.export.collision import check_convex_parts, collision_shapes
from zero123pp.recon.export.exporters import check_normal_map, check_target, for_print, save, written_by
from zero123pp.recon.export.fewer_faces import geometry_of, meshoptimizer, with_faces
from zero123pp.recon.export.frame import placed
from zero123pp.recon.export.glb import encode_levels, encode_meshes
from zero123pp.recon.export.options import COLLISIONS, FileOptions
from zero123pp.recon.export.printing import Printed
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import is_watertight, join, welded
from zero123pp.recon.texturing import with_normal_map, with_tangents
from zero123pp.types import Mesh, Part, TexturedMesh

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
    msft_lod: bool = False,
    collision: str | None = None,
    texture_size: int | None = None,
    normal_map: bool = False,
    extras: Mapping | None = None,
    options: FileOptions = FileOptions(),
    tell: Callable[[str], None] | None = None,
) -> list[Written]:
    """Write an asset once more, without fitting anything again.

    Args:
        source: the asset in the world frame, or a .glb or .gltf of it with one mesh.
        out: the file; its suffix picks the format (`zero123pp.recon.export.EXPORTERS`).
        faces: triangles at most, None keeps all.
        lods: levels of detail, each with half the triangles of the one before; those after the first lie beside
            ``out`` as toy_lod1.glb, toy_lod2.glb, ... All have the same texture and texture coordinates.
        msft_lod: also write toy_lods.glb, all levels in one file under one texture (the extension MSFT_lod).
        collision: also write toy_collision.glb: 'hull', a convex one, or 'convex', several that follow the object.
        texture_size: texels of the texture's longer side; it is never enlarged.
        normal_map: every file with fewer triangles than the source gets a normal map and tangents, so that it is shaded
            as the source is; they do so anyway where the source has a normal map.
        extras: as for `save`; None takes those of the file.
        options: as for `save`.
        tell: called with what was done for a printer, in one line.

    Returns:
        The files, ``out`` first.

    Raises:
        BadInput: a file that cannot be read or is not one mesh, a wrong value, or a file that cannot be written, would
            replace the source, or lies beside ``out`` and is not by this program.
        MissingBackend: fewer triangles are asked for and meshoptimizer is not installed, or convex parts and CoACD.
    """
    out = Path(out)
    check_export(out, lods, msft_lod, collision)
    names = files_of(out, lods, msft_lod, collision)
    if texture_size is not None and not 1 <= texture_size <= MOST_TEXELS:
        raise BadInput(f"a texture of {texture_size} px is asked for; expected 1 to {MOST_TEXELS}")
    if normal_map:
        check_normal_map(out)
    _check_targets(names, source, options)
    if options.wall is not None and (len(names) > 1 or normal_map):
        raise BadInput("--for-print makes one solid; leave out --lods, --msft-lod, --collision and --normal-map")
    asset, extras = (source, extras or {}) if isinstance(source, Part) else _read(Path(source), extras)
    if texture_size is not None and isinstance(asset, TexturedMesh):
        asset = _with_texture(asset, texture_size)
    if options.wall is None:
        asset = placed(
            asset, FileOptions(origin=options.origin, size=options.size), ".glb"
        )  # once, for all that follow
    source_of_normals = asset
    asset = asset if faces is None else with_faces(asset, faces)
    if options.wall is not None:
        printed = for_print(asset, options, out.suffix.lower())
        asset = printed.mesh
        if tell is not None:
            tell(_told_of_print(printed))
    options = replace(options, origin=None, size=None, wall=None)
    count = len(geometry_of(asset).faces)
    made = [asset, *(with_faces(asset, max(count >> level, 4)) for level in range(1, lods))]
    if normal_map or _has_normal_map(source_of_normals):
        made = [_shaded_like(source_of_normals, each) for each in made]
    if normal_map and not any(map(_has_normal_map, made)):
        raise BadInput("--normal-map has nothing to show: no file has fewer triangles than the source; add --faces")
    shapes = [] if collision is None else collision_shapes(asset, collision)
    written = []
    for path, part in zip(names, made):
        save(part, path, extras=extras, options=options)
        written.append(_told(path, [geometry_of(part)]))
    if msft_lod:
        path = names[len(made)]
        write_file(path, encode_levels(made, extras, options))
        written.append(_told(path, [geometry_of(part) for part in made]))
    if shapes:
        _save_shapes(shapes, names[-1], extras, options)
        written.append(_told(names[-1], shapes))
    return written


def _told(path: Path, meshes: Sequence[Mesh]) -> Written:
    """What is in a file."""
    closed = all(is_watertight(welded(Mesh(mesh.vertices, mesh.faces)).faces) for mesh in meshes)
    return Written(path, sum(len(mesh.faces) for mesh in meshes), closed)


def _told_of_print(printed: Printed) -> str:
    walls = "all walls were thick enough"
    if printed.thin_share > 0:
        walls = f"{printed.thin_share:.1%} of the surface thickened, thinnest wall {1000 * printed.thinnest:.2g} mm"
    cut = f", cut {1000 * printed.cut:.2g} mm above its lowest point" if printed.cut else ""
    return f"for print: {walls}; stands on {1e4 * printed.base_area:.2g} cm2{cut}"


def _save_shapes(shapes: Sequence[Mesh], path: Path, extras: Mapping, options: FileOptions) -> None:
    """Convex shapes into one file, each under a name of its own where the format has names."""
    suffix = path.suffix.lower()
    if len(shapes) == 1 or suffix not in READS:
        return save(join(shapes), path, extras=extras, options=options)
    named = {f"{options.name}_collision{index}": shape for index, shape in enumerate(shapes)}
    (content,) = encode_meshes(named, path.stem, suffix, extras, options).values()
    return write_files(path.parent, {path.name: content}, path.name)


def _has_normal_map(asset: Part) -> bool:
    return isinstance(asset, TexturedMesh) and asset.normal_map is not None


def _shaded_like(source: Part, asset: Part) -> Part:
    """The asset with the normals of ``source`` in a normal map, unless it is the source."""
    if asset is source or not isinstance(asset, TexturedMesh):
        return asset
    return with_normal_map(asset, source, max(asset.base_color.shape[:2]))


def files_of(out: str | Path, lods: int = 1, msft_lod: bool = False, collision: str | None = None) -> list[Path]:
    """The files of an export, ``out`` first."""
    out = Path(out)
    names = [out, *(out.with_stem(f"{out.stem}_lod{level}") for level in range(1, lods))]
    names += [out.with_stem(f"{out.stem}_lods")] if msft_lod else []
    return names if collision is None else [*names, out.with_stem(f"{out.stem}_collision")]


def check_export(out: str | Path, lods: int = 1, msft_lod: bool = False, collision: str | None = None) -> None:
    """Refuse what `export` would refuse of these: BadInput, or MissingBackend without the library that it takes."""
    if not 1 <= lods <= MOST_LODS:
        raise BadInput(f"{lods} levels of detail are asked for; expected 1 to {MOST_LODS}")
    if collision not in (None, *COLLISIONS):
        raise BadInput(f"collision is {collision!r}; expected {' or '.join(COLLISIONS)}")
    if msft_lod and (Path(out).suffix.lower() != ".glb" or lods < 2):
        raise BadInput("--msft-lod needs a .glb and --lods 2 or more: it puts all levels into one file")
    if lods > 1:
        meshoptimizer()
    if collision == "convex":
        check_convex_parts()
    for path in files_of(out, lods, msft_lod, collision)[1:]:
        check_target(path)
        check_own(path)


def _check_targets(names: list[Path], source: Part | str | Path, options: FileOptions) -> None:
    """Refuse before any work what cannot be written, or would replace the source or somebody else's file."""
    for path in names:
        check_target(path, options=options)
        if not isinstance(source, Part) and any(_is_same(file, Path(source)) for file in written_by(path)):
            raise BadInput(f"{path} would write over {source}, which is read; choose another name")


def _is_same(path: Path, source: Path) -> bool:
    return path.exists() and source.exists() and path.samefile(source)


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
    about = json.loads(content).get("asset")
    found = about.get("extras") if isinstance(about, dict) else None
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
