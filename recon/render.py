"""Unlit pictures of meshes: the colours, depth and normals that a camera sees."""

from collections.abc import Sequence

import numpy as np

from zero123pp.cameras import pixel_rays, resized, view_from_world
from zero123pp.errors import BadInput
from zero123pp.recon.meshing import face_normals
from zero123pp.recon.ops.raster import Fragments, rasterize
from zero123pp.types import Camera, Mesh, Part, TexturedMesh, View

UNPAINTED = 0.7
"""sRGB gray of a mesh that has neither texture nor vertex colours."""


def render(parts: Part | Sequence[Part], camera: Camera, *, supersample: int = 2, backend: str = "auto") -> View:
    """Picture of one or several meshes without lighting.

    Args:
        parts: meshes in the world frame; together they are one scene. Textures repeat outside [0, 1].
        camera: of the result.
        supersample: samples a pixel and side; colour and alpha are their premultiplied mean.
        backend: of the rasteriser (`zero123pp.recon.ops.raster.BACKENDS`).

    Returns:
        A View with straight alpha. Depth and normals are those at the pixel centres, 0 where none is seen there, not
        means over the pixel. Normals are smooth where a part has vertex normals, bent by its normal map where it has
        one, and face the viewer where the back of a face is seen.
    """
    parts = [parts] if isinstance(parts, Part) else list(parts)
    rgb, alpha, fine = _picture(parts, camera, supersample, backend)
    faces, _, first_face = _joined_faces(parts)
    vertices = np.concatenate([_geometry(part).vertices for part in parts])
    centre = fine if supersample == 1 else rasterize(vertices, faces, camera, backend)
    normal = np.zeros((*centre.face.shape, 3), np.float32)
    normal[centre.covered] = _normals(parts, centre, vertices, faces, first_face, camera)
    return View(rgb, alpha, camera, centre.depth, normal)


def render_picture(parts: Part | Sequence[Part], camera: Camera, *, supersample: int = 2) -> View:
    """Like `render`, without depth and normals, in half the time."""
    rgb, alpha, _ = _picture([parts] if isinstance(parts, Part) else list(parts), camera, supersample, "auto")
    return View(rgb, alpha, camera)


def _picture(
    parts: list[Part], camera: Camera, supersample: int, backend: str
) -> tuple[np.ndarray, np.ndarray, Fragments]:
    """Straight colours (H, W, 3), alpha (H, W), and the fragments of the larger picture that they are means of."""
    if not parts or supersample < 1:
        raise BadInput(f"render needs a mesh and supersample >= 1, got {len(parts)} meshes and {supersample}")
    faces, first_vertex, first_face = _joined_faces(parts)
    vertices = np.concatenate([_geometry(part).vertices for part in parts])
    s = supersample
    fine = rasterize(vertices, faces, resized(camera, camera.width * s, camera.height * s), backend)
    rgb = np.zeros((*fine.face.shape, 3), np.float32)
    rgb[fine.covered] = _shade(parts, fine, faces, first_vertex, first_face)
    alpha, premultiplied = _box(fine.covered[..., None].astype(np.float32), s), _box(rgb, s)
    return premultiplied / np.maximum(alpha, 1e-6), alpha[..., 0], fine


def _geometry(part: Part) -> Mesh:
    return part.mesh if isinstance(part, TexturedMesh) else part


def _joined_faces(parts: list[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces (F, 3) of all parts over their concatenated vertices, and where each part's vertices and faces start."""
    meshes = [_geometry(part) for part in parts]
    first_vertex = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    first_face = np.cumsum([0] + [len(mesh.faces) for mesh in meshes])
    return np.concatenate([mesh.faces + start for mesh, start in zip(meshes, first_vertex)]), first_vertex, first_face


def _box(samples: np.ndarray, side: int) -> np.ndarray:
    """Mean over ``side`` x ``side`` samples of (H side, W side, C)."""
    if side == 1:
        return samples
    height, width, channels = samples.shape
    return samples.reshape(height // side, side, width // side, side, channels).mean((1, 3))


def _shade(
    parts: list[Part], fragments: Fragments, faces: np.ndarray, first_vertex: np.ndarray, first_face: np.ndarray
) -> np.ndarray:
    """Colours (n, 3) sRGB of the covered pixels."""
    values = np.zeros((first_vertex[-1], 3), np.float32)  # vertex colours, or uv in the first two columns
    for part, start in zip(parts, first_vertex):
        mesh = _geometry(part)
        rows = values[start : start + len(mesh.vertices)]
        if isinstance(part, TexturedMesh):
            rows[:, :2] = part.uvs
        else:
            rows[:] = UNPAINTED if mesh.colors is None else mesh.colors / np.float32(255)
    colors = fragments.interpolate(faces, values)
    seen = fragments.face[fragments.covered]
    for index, part in enumerate(parts):
        if isinstance(part, TexturedMesh):
            of_part = slice(None) if len(parts) == 1 else (seen >= first_face[index]) & (seen < first_face[index + 1])
            colors[of_part] = look_up(part.base_color, colors[of_part, :2])
    return colors


def look_up(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear values (n, 3) in [0, 1] of a texture (H, W, 3) uint8 at (n, 2) coordinates; it repeats outside."""
    from zero123pp.recon.ops import bilinear

    height, width = texture.shape[:2]
    px = np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height], axis=-1)
    return bilinear(texture, px, repeat=True) / np.float32(255)


def _normals(
    parts: list[Part],
    fragments: Fragments,
    vertices: np.ndarray,
    faces: np.ndarray,
    first_face: np.ndarray,
    camera: Camera,
) -> np.ndarray:
    """View-space unit normals (n, 3) of the covered pixels."""
    seen = fragments.face[fragments.covered]
    flat = face_normals(vertices, faces)[seen]
    normals = flat
    if any(isinstance(part, TexturedMesh) and part.normals is not None for part in parts):
        smooth = [_vertex_normals(part) for part in parts]
        normals = fragments.interpolate(faces, np.concatenate(smooth))
        length = np.linalg.norm(normals, axis=-1, keepdims=True)
        normals = _bent(parts, fragments, faces, first_face, np.where(length > 1e-6, normals, flat))
    _, rays = pixel_rays(camera)
    away = (flat * rays[fragments.covered]).sum(-1, keepdims=True) > 0
    return np.where(away, -normals, normals) @ view_from_world(camera).T


def _bent(
    parts: list[Part], fragments: Fragments, faces: np.ndarray, first_face: np.ndarray, normals: np.ndarray
) -> np.ndarray:
    """Unit normals (n, 3) from interpolated ones, bent by the normal maps of the parts that have one."""
    unit = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)
    has_map = [isinstance(part, TexturedMesh) and part.normal_map is not None for part in parts]
    if not any(has_map):
        return unit
    frames = [
        np.concatenate([part.tangents, part.uvs], axis=1) if mapped else np.zeros((len(_geometry(part).vertices), 6))
        for part, mapped in zip(parts, has_map)
    ]
    at = fragments.interpolate(faces, np.concatenate(frames))
    seen = fragments.face[fragments.covered]
    for index in np.flatnonzero(has_map):
        of_part = (seen >= first_face[index]) & (seen < first_face[index + 1])
        unit[of_part] = bent(parts[index].normal_map, normals[of_part], at[of_part, :4], at[of_part, 4:])
    return unit


def bent(normal_map: np.ndarray, normals: np.ndarray, tangents: np.ndarray, uvs: np.ndarray) -> np.ndarray:
    """Unit normals (n, 3) as a normal map bends them, see `zero123pp.recon.texturing.tangents`.

    Args:
        normal_map: (H, W, 3) uint8, see `TexturedMesh`.
        normals: (n, 3) interpolated between vertices.
        tangents: (n, 4) likewise.
        uvs: (n, 2) likewise.
    """
    local = look_up(normal_map, uvs) * 2 - 1
    bent = local[:, :1] * tangents[:, :3] + local[:, 1:2] * bitangents(normals, tangents) + local[:, 2:] * normals
    return bent / np.maximum(np.linalg.norm(bent, axis=-1, keepdims=True), 1e-12)


def bitangents(normals: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Bitangents (n, 3) of normals (n, 3) and tangents (n, 4), see `bent`."""
    return np.sign(tangents[:, 3:]) * np.cross(normals, tangents[:, :3])


def _vertex_normals(part: Part) -> np.ndarray:
    """Normals (Nv, 3) of a part; 0 where it has none, which shades flat."""
    if isinstance(part, TexturedMesh) and part.normals is not None:
        return part.normals
    return np.zeros_like(_geometry(part).vertices)
