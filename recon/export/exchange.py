"""Formats that carry less than glTF: OBJ, PLY and STL."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zero123pp.recon.export.glb import encode_png, to_trimesh
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.meshing.topology import welded
from zero123pp.types import Mesh, TexturedMesh

if TYPE_CHECKING:
    import trimesh


def encode_obj(asset: TexturedMesh | Mesh, stem: str, extras: Mapping) -> dict[str, bytes]:
    """OBJ with normals and, for a textured mesh, an MTL and a PNG of the same stem; vertex colours follow positions."""
    mesh = asset.mesh if isinstance(asset, TexturedMesh) else asset
    textured = isinstance(asset, TexturedMesh)
    positions = mesh.vertices
    if not textured and mesh.colors is not None:  # a widespread extension: six numbers a vertex
        positions = np.concatenate([positions, mesh.colors / np.float32(255)], axis=1)
    normals = asset.normals if textured and asset.normals is not None else smooth_normals(mesh)
    lines = [f"mtllib {stem}.mtl", "usemtl baked"] if textured else []
    lines += _rows("v", positions)
    lines += _rows("vt", asset.uvs) if textured else []
    lines += _rows("vn", normals)
    corner = "{0}/{0}/{0}" if textured else "{0}//{0}"
    lines += ["f " + " ".join(corner.format(index) for index in face) for face in (mesh.faces + 1).tolist()]
    files = {}
    if textured:
        material = f"newmtl baked\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {stem}.png\n"
        files = {f"{stem}.png": encode_png(asset.base_color), f"{stem}.mtl": material.encode()}
    return files | {f"{stem}.obj": ("\n".join(lines) + "\n").encode()}


def _rows(key: str, rows: np.ndarray) -> list[str]:
    """Lines of an OBJ file, with as many digits as a float32 has."""
    return [f"{key} " + " ".join(f"{value:.7g}" for value in row) for row in rows.tolist()]


def encode_ply(asset: TexturedMesh | Mesh, stem: str, extras: Mapping) -> dict[str, bytes]:
    """Binary PLY with vertex colours; a textured mesh gives those of its texture at the vertices, seams closed."""
    return {f"{stem}.ply": _colored(asset).export(file_type="ply")}


def encode_stl(asset: TexturedMesh | Mesh, stem: str, extras: Mapping) -> dict[str, bytes]:
    """Binary STL: triangles only."""
    return {f"{stem}.stl": _colored(asset).export(file_type="stl")}


def _colored(asset: TexturedMesh | Mesh) -> "trimesh.Trimesh":
    """A trimesh with vertex colours instead of a texture, closed along UV seams."""
    if not isinstance(asset, TexturedMesh):
        return to_trimesh(asset)
    from zero123pp.recon.render import look_up

    colors = np.round(look_up(asset.base_color, asset.uvs) * 255).astype(np.uint8)
    return to_trimesh(welded(Mesh(asset.mesh.vertices, asset.mesh.faces, colors)))
