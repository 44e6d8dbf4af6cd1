"""Formats that carry less than glTF: OBJ, PLY, STL and 3MF, of an asset in the frame of its file."""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import numpy as np

from zero123pp.images import own_png
from zero123pp.own import MARK, TEXT_HEAD
from zero123pp.recon.export.glb import to_trimesh
from zero123pp.recon.export.options import FileOptions
from zero123pp.recon.export.quads import with_quads
from zero123pp.recon.meshing import smooth_normals, welded
from zero123pp.types import Mesh, Part, TexturedMesh

if TYPE_CHECKING:
    import trimesh

_STL_HEAD = 80
"""Bytes before the triangles that every reader passes over."""

_LONGEST_PLAIN = 100
"""Characters of a stem that its side files keep, where they are not named as it is."""


def encode_obj(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """OBJ with normals and, for a textured mesh, an MTL and a PNG of `side_names`; vertex colours follow positions."""
    mesh = asset.mesh if isinstance(asset, TexturedMesh) else asset
    textured = isinstance(asset, TexturedMesh)
    positions = mesh.vertices
    if not textured and mesh.colors is not None:  # a widespread extension: six numbers a vertex
        positions = np.concatenate([positions, mesh.colors / np.float32(255)], axis=1)
    normals = asset.normals if textured and asset.normals is not None else smooth_normals(mesh)
    picture_name, material_name = side_names(stem)
    lines = [TEXT_HEAD.strip(), *([f"mtllib {material_name}", "usemtl baked"] if textured else [])]
    lines += _rows("v", positions)
    lines += _rows("vt", asset.uvs) if textured else []
    lines += _rows("vn", normals)
    corner = "{0}/{0}/{0}" if textured else "{0}//{0}"
    faces = with_quads(mesh) if options.quads else mesh.faces.tolist()
    lines += ["f " + " ".join(corner.format(index + 1) for index in face) for face in faces]
    files = {}
    if textured:
        material = f"{TEXT_HEAD}newmtl baked\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture_name}\n"
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


def encode_ply(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """Binary PLY with vertex colours; a textured mesh gives those of its texture at the vertices, seams closed."""
    head, elements = _colored(asset).export(file_type="ply").split(b"\nelement", 1)
    return {f"{stem}.ply": head + b"\ncomment " + MARK + b"\nelement" + elements}


def encode_stl(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """Binary STL: triangles only."""
    triangles = _colored(asset).export(file_type="stl")[_STL_HEAD:]
    return {f"{stem}.stl": MARK.ljust(_STL_HEAD) + triangles}


def encode_3mf(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """3MF (core specification 1.3, materials extension 1.2) with vertex colours, which trimesh does not write."""
    mesh = _welded(asset)
    colors = np.full((len(mesh.vertices), 3), 255, np.uint8) if mesh.colors is None else mesh.colors
    palette, color = np.unique(colors, axis=0, return_inverse=True)
    color = color.reshape(-1)[mesh.faces]
    model = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<model unit="millimeter" xml:lang="en-US" xmlns="{_3MF_CORE}" xmlns:m="{_3MF_MATERIAL}">',
        '<metadata name="Application">zero123pp</metadata><resources><m:colorgroup id="1">',
        *(f'<m:color color="#{r:02X}{g:02X}{b:02X}"/>' for r, g, b in palette.tolist()),
        f'</m:colorgroup><object id="2" name={quoteattr(options.name)} type="model" pid="1" pindex="0">',
        "<mesh><vertices>",
        *(f'<vertex x="{x:.7g}" y="{y:.7g}" z="{z:.7g}"/>' for x, y, z in mesh.vertices.tolist()),
        "</vertices><triangles>",
        *(
            f'<triangle v1="{a}" v2="{b}" v3="{c}" pid="1" p1="{i}" p2="{j}" p3="{k}"/>'
            for (a, b, c), (i, j, k) in zip(mesh.faces.tolist(), color.tolist())
        ),
        '</triangles></mesh></object></resources><build><item objectid="2"/></build></model>',
    ]
    parts = {"[Content_Types].xml": _3MF_TYPES, "_rels/.rels": _3MF_RELATIONS, "3D/3dmodel.model": "\n".join(model)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # always of 1980: equal bytes
    return {f"{stem}.3mf": file.getvalue()}


_3MF_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_3MF_MATERIAL = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
_3MF_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
)
_3MF_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/3dmodel.model" Id="rel0" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)


def _colored(asset: Part) -> "trimesh.Trimesh":
    """A trimesh with vertex colours instead of a texture, closed along UV seams."""
    return to_trimesh(_welded(asset))


def _welded(asset: Part) -> Mesh:
    """The surface with vertex colours instead of a texture, closed along UV seams."""
    if not isinstance(asset, TexturedMesh):
        return asset
    from zero123pp.recon.render import look_up

    colors = np.round(look_up(asset.base_color, asset.uvs) * 255).astype(np.uint8)
    return welded(Mesh(asset.mesh.vertices, asset.mesh.faces, colors))
