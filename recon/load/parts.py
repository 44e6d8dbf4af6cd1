"""Mesh files of other tools as the records of this project."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from zero123pp.errors import BadInput
from zero123pp.images import linear_to_srgb, srgb_to_linear, to_uint8
from zero123pp.types import Mesh, Part, TexturedMesh

MAX_TEXTURE_PIXELS = 8192 * 8192
"""Larger textures are refused before they are decoded."""

_UNREADABLE_EXTENSIONS = {"KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_mesh_quantization"}
"""trimesh reads such files without an error, and wrongly: zeros, or lengths in quantisation steps."""


def load_parts(path: str | Path, *, normal_maps: bool = False) -> list[Part]:
    """Every triangle mesh of a file, in the file's world frame.

    Transforms of the scene graph are applied. Base-colour textures, their factors and vertex colours are honoured
    (colours of glTF are linear, all others sRGB); alpha is ignored, except that triangles which an alpha mask hides
    altogether are dropped. Skins and animations are not applied. Each material comes as a part of its own.

    Args:
        path: any file that trimesh reads: .glb, .gltf, .obj, .ply, .stl, .off, ...; and .fbx, by open3d.
        normal_maps: also those of a glTF, without their tangents.

    Raises:
        MissingBackend: an .fbx file, and open3d is not installed.
        BadInput: the file is missing, unreadable, compressed in a way trimesh cannot read, or has no triangles.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"no mesh file at {path}")
    if path.suffix.lower() == ".fbx":
        from zero123pp.recon.load.fbx import load_fbx

        return load_fbx(path)
    is_gltf = path.suffix.lower() in {".glb", ".gltf"}
    if is_gltf:
        _refuse_extensions(path)
    try:
        parts = _parts(path, is_gltf, normal_maps and is_gltf)
    except Exception as error:  # trimesh and Pillow raise nearly every type on broken files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"cannot read {path.name} as a mesh: {reason}") from error
    if not parts:
        raise BadInput(f"{path.name} holds no triangles")
    return parts


def _parts(path: Path, is_gltf: bool, normal_maps: bool) -> list[Part]:
    import trimesh

    scene = trimesh.load_scene(path, process=False)
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
            part = _part(geometry, np.asarray(transform, float), is_gltf)
            picture = getattr(getattr(geometry.visual, "material", None), "normalTexture", None)
            if normal_maps and isinstance(part, TexturedMesh) and picture is not None:
                part = replace(part, normal_map=np.asarray(picture.convert("RGB")))
            if len((part.mesh if isinstance(part, TexturedMesh) else part).faces):
                parts.append(part)
    return parts


def _refuse_extensions(path: Path) -> None:
    """BadInput for a glTF file that needs an extension which trimesh misreads; silence for other trouble."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
            is_binary = head[:4] == b"glTF" and len(head) == 20
            text = file.read(struct.unpack("<I", head[12:16])[0]) if is_binary else head + file.read()
        needed = _UNREADABLE_EXTENSIONS.intersection(json.loads(text).get("extensionsRequired", ()))
    except (OSError, ValueError, AttributeError, TypeError):
        return  # trimesh will say what is wrong with it
    if needed:
        raise BadInput(f"{path.name} needs {', '.join(sorted(needed))}; write it without compression first")


def _part(geometry: object, transform: np.ndarray, is_gltf: bool) -> Part:
    """One trimesh geometry, moved by its (4, 4) transform."""
    linear = transform[:3, :3]
    vertices = np.asarray(geometry.vertices, float) @ linear.T + transform[:3, 3]
    if not np.isfinite(vertices).all():
        raise BadInput("it has vertices that are not finite (NaN or infinity)")
    faces = np.asarray(geometry.faces, np.int32)
    mirrored = np.linalg.det(linear) < 0
    uvs, image, factor, material = _material(geometry, is_gltf)
    if image is not None:
        faces = faces[~_masked(material, image, uvs, faces)]
    if mirrored:
        faces = faces[:, ::-1]
    if image is None:
        return Mesh(vertices, faces, _vertex_colors(geometry, factor, is_gltf))
    normals = _file_normals(geometry, linear)
    return TexturedMesh(Mesh(vertices, faces), uvs, _textured(image, factor), normals)


def _file_normals(geometry: object, linear: np.ndarray) -> np.ndarray | None:
    """Vertex normals (Nv, 3) that the file came with, transformed; None without."""
    # Trimesh invents normals on access, with creases at UV seams; only its cache tells whether the file had them.
    if "vertex_normals" not in geometry._cache or abs(np.linalg.det(linear)) < 1e-12:
        return None
    normals = np.asarray(geometry.vertex_normals, float) @ np.linalg.inv(linear)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return normals / np.where(length > 0, length, 1)


def _material(geometry: object, is_gltf: bool) -> tuple[np.ndarray | None, object, np.ndarray, object]:
    """UVs (Nv, 2), texture (a Pillow image), linear colour factor (3,) and trimesh's material; None where absent."""
    material = getattr(geometry.visual, "material", None)
    uvs = getattr(geometry.visual, "uv", None)
    white = np.ones(3)
    if material is None:
        return None, None, white, None
    if hasattr(material, "baseColorFactor"):
        image, factor = material.baseColorTexture, material.baseColorFactor
        factor = white if factor is None else np.asarray(factor, float)[:3] / 255
    else:  # OBJ: the diffuse colour is sRGB, and tools that write a texture leave it at some gray that they ignore
        image = getattr(material, "image", None)
        diffuse = getattr(material, "diffuse", None)
        factor = white if image is not None or diffuse is None else srgb_to_linear(np.asarray(diffuse)[:3] / 255)
    if image is None or uvs is None or len(uvs) != len(geometry.vertices):
        return None, None, factor, material
    if image.width * image.height > MAX_TEXTURE_PIXELS:
        raise BadInput(f"its texture of {image.width}x{image.height} px is too large; at most {MAX_TEXTURE_PIXELS} px")
    return np.nan_to_num(np.asarray(uvs, np.float32), posinf=0, neginf=0), image, factor, material


def _textured(image: object, factor: np.ndarray) -> np.ndarray:
    """Texture (H, W, 3) uint8 sRGB with the linear colour factor multiplied in."""
    texels = np.asarray(image.convert("RGB"))
    if (factor >= 1).all():
        return texels
    table = linear_to_srgb(srgb_to_linear(np.arange(256) / 255)[:, None] * factor)  # (256, 3)
    return np.stack([to_uint8(table[:, c])[texels[..., c]] for c in range(3)], axis=-1)


def _masked(material: object, image: object, uvs: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) bool, triangles whose centre and corners an alpha mask (glTF's alphaMode MASK) all hides."""
    if getattr(material, "alphaMode", None) != "MASK" or "A" not in image.getbands():
        return np.zeros(len(faces), bool)
    cutoff = material.alphaCutoff if material.alphaCutoff is not None else 0.5
    alpha = np.asarray(image.getchannel("A")) / 255
    corners = uvs[faces]  # (F, 3, 2)
    centre = corners.mean(1, keepdims=True)
    samples = np.concatenate([centre, centre + 0.9 * (corners - centre), (corners + centre) / 2], axis=1)
    height, width = alpha.shape
    x = np.floor(samples[..., 0] * width).astype(int) % width
    y = np.floor((1 - samples[..., 1]) * height).astype(int) % height
    return (alpha[y, x] < cutoff).all(1)


def _vertex_colors(geometry: object, factor: np.ndarray, is_gltf: bool) -> np.ndarray | None:
    """Vertex or face colours times the material's factor, (Nv, 3) uint8 sRGB; None when there are neither."""
    visual = geometry.visual
    colors = None
    if visual.kind in {"vertex", "face"}:
        colors = visual.vertex_colors
    elif hasattr(visual, "vertex_attributes") and "color" in visual.vertex_attributes:
        import trimesh

        colors = trimesh.visual.color.to_rgba(visual.vertex_attributes["color"])
    if colors is None:
        if getattr(visual, "material", None) is None:
            return None
        colors = np.full((len(geometry.vertices), 3), 255, np.uint8)
    values = np.asarray(colors)[:, :3] / 255
    linear = values if is_gltf else srgb_to_linear(values)
    return to_uint8(linear_to_srgb(linear * factor))
