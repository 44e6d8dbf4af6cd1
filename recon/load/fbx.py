"""FBX files, which trimesh does not read, by open3d (and Assimp in it)."""

from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.images import to_uint8
from zero123pp.types import Mesh, Part, TexturedMesh


def load_fbx(path: Path) -> list[Part]:
    """Every triangle mesh of an .fbx file, in the file's world frame; colours are taken for sRGB.

    Transforms of the file's nodes are applied; its units and its up axis are not converted.

    Raises:
        MissingBackend: open3d is not installed, or a library that it needs.
        BadInput: the file is unreadable.
    """
    try:
        import open3d
    except ImportError as error:
        raise MissingBackend(f".fbx files are read by open3d ({error}); pip install 'zero123pp[open3d]'") from error
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        model = open3d.io.read_triangle_model(str(path))
    if not model.meshes:
        raise BadInput(f"cannot read {path.name} as a mesh: open3d finds none in it")
    parts = [_part(each.mesh, model.materials[each.material_idx]) for each in model.meshes]
    if not all(np.isfinite((part.mesh if isinstance(part, TexturedMesh) else part).vertices).all() for part in parts):
        raise BadInput(f"cannot read {path.name} as a mesh: it has vertices that are not finite (NaN or infinity)")
    return parts


def _part(mesh: object, material: object) -> Part:
    """One of open3d's meshes with its material."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.triangles, np.int32)
    if material.albedo_img is not None and mesh.has_triangle_uvs():
        texels = np.asarray(material.albedo_img)
        texels = np.stack([texels] * 3, axis=-1) if texels.ndim == 2 else texels[..., :3]
        corners = Mesh(vertices[faces.reshape(-1)], np.arange(faces.size, dtype=np.int32).reshape(-1, 3))
        return TexturedMesh(corners, np.asarray(mesh.triangle_uvs, np.float32), texels)
    colors = np.asarray(material.base_color)[:3] * (np.asarray(mesh.vertex_colors) if mesh.has_vertex_colors() else 1)
    return Mesh(vertices, faces, to_uint8(np.broadcast_to(colors, vertices.shape)))
