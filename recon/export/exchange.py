"""Formats that carry less than glTF: OBJ, PLY and STL."""

import re
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.images import own_png
from zero123pp.recon.export.glb import to_trimesh
from zero123pp.recon.meshing import smooth_normals, welded
from zero123pp.types import Mesh, Part, TexturedMesh

if TYPE_CHECKING:
    import trimesh

MATERIAL_HEAD = "# zero123pp\n"
"""How a material file begins that a later run may replace."""
STL_MM = 1000.0
"""Units of an STL a metre: slicers read millimetres."""

_LONGEST_PLAIN = 100
"""Characters of a stem that its side files keep, where they are not named as it is."""


def encode_obj(asset: Part, stem: str, extras: Mapping) -> dict[str, bytes]:
    """OBJ with normals and, for a textured mesh, an MTL and a PNG of `side_names`; vertex colours follow positions."""
    mesh = asset.mesh if isinstance(asset, TexturedMesh) else asset
    textured = isinstance(asset, TexturedMesh)
    positions = mesh.vertices
    if not textured and mesh.colors is not None:  # a widespread extension: six numbers a vertex
        positions = np.concatenate([positions, mesh.colors / np.float32(255)], axis=1)
    normals = asset.normals if textured and asset.normals is not None else smooth_normals(mesh)
    picture_name, material_name = side_names(stem)
    lines = [f"mtllib {material_name}", "usemtl baked"] if textured else []
    lines += _rows("v", positions)
    lines += _rows("vt", asset.uvs) if textured else []
    lines += _rows("vn", normals)
    corner = "{0}/{0}/{0}" if textured else "{0}//{0}"
    lines += ["f " + " ".join(corner.format(index) for index in face) for face in (mesh.faces + 1).tolist()]
    files = {}
    if textured:
        material = f"{MATERIAL_HEAD}newmtl baked\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture_name}\n"
        files = {picture_name: own_png(asset.base_color), material_name: material.encode("ascii")}
    return files | {f"{stem}.obj": ("\n".join(lines) + "\n").encode()}


def side_names(stem: str) -> tuple[str, str]:
    """Names of the texture and the material beside ``stem``.obj.

    The texture's is not that of the picture which it may be made from, such as ``toy.png`` beside ``toy.obj``. A name
    in an OBJ or an MTL ends at a blank, has no quotes and no encoding, and options begin with a dash: a stem with more
    than plain characters is spelled with plain ones here, and a checksum keeps it apart from its likes.
    """
    plain = re.sub(r"[^A-Za-z0-9_.,+=@()\[\]{}~-]", "_", stem)
    if plain.startswith("-"):
        plain = "_" + plain[1:]
    if plain != stem:
        plain = f"{plain[:_LONGEST_PLAIN]}-{zlib.crc32(stem.encode('utf-8', 'surrogateescape')):08x}"
    return f"{plain}_texture.png", f"{plain}.mtl"


def _rows(key: str, rows: np.ndarray) -> list[str]:
    """Lines of an OBJ file, with as many digits as a float32 has."""
    return [f"{key} " + " ".join(f"{value:.7g}" for value in row) for row in rows.tolist()]


def encode_ply(asset: Part, stem: str, extras: Mapping) -> dict[str, bytes]:
    """Binary PLY with vertex colours; a textured mesh gives those of its texture at the vertices, seams closed."""
    return {f"{stem}.ply": _colored(asset).export(file_type="ply")}


def encode_stl(asset: Part, stem: str, extras: Mapping) -> dict[str, bytes]:
    """Binary STL: triangles only, in millimetres and with Z up, as slicers take every STL."""
    mesh = _colored(asset)
    x, y, z = mesh.vertices.T
    mesh.vertices = STL_MM * np.stack([x, -z, y], axis=1)
    return {f"{stem}.stl": mesh.export(file_type="stl")}


def _colored(asset: Part) -> "trimesh.Trimesh":
    """A trimesh with vertex colours instead of a texture, closed along UV seams."""
    if not isinstance(asset, TexturedMesh):
        return to_trimesh(asset)
    from zero123pp.recon.render import look_up

    colors = np.round(look_up(asset.base_color, asset.uvs) * 255).astype(np.uint8)
    return to_trimesh(welded(Mesh(asset.mesh.vertices, asset.mesh.faces, colors)))
