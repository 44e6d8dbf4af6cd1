"""What Blender makes of exported files: where the objects lie, and whether its tangents are those of the file.

    python3.11 -m venv blender && blender/bin/pip install "bpy==5.0.1"    # GPL-3.0, 1 GB, in an environment of its own
    blender/bin/python benchmarks/in_blender.py toy.glb toy.obj toy.ply toy.stl toy.usdz

One row an object: vertices, faces, its box (Blender has Z up, front to -Y), pictures and custom properties. For a .glb
with tangents also the angle in degrees between them and what Blender's MikkTSpace computes from the same normals and
texture coordinates, and the share of corners whose bitangents have the same sign.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

IMPORTERS = {
    ".glb": lambda ops, path: ops.import_scene.gltf(filepath=path),
    ".gltf": lambda ops, path: ops.import_scene.gltf(filepath=path),
    ".obj": lambda ops, path: ops.wm.obj_import(filepath=path),
    ".ply": lambda ops, path: ops.wm.ply_import(filepath=path),
    ".stl": lambda ops, path: ops.wm.stl_import(filepath=path),
    ".usdz": lambda ops, path: ops.wm.usd_import(filepath=path),
}


def main() -> None:
    """Import and tell."""
    import bpy

    for path in sys.argv[1:]:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        IMPORTERS[Path(path).suffix.lower()](bpy.ops, path)
        pictures = sorted(image.name for image in bpy.data.images)
        for thing in bpy.data.objects:
            if thing.type != "MESH":
                continue
            places = np.array([thing.matrix_world @ vertex.co for vertex in thing.data.vertices])
            box = f"{places.min(0).round(3).tolist()} to {places.max(0).round(3).tolist()}"
            words = {key: value for key, value in thing.items() if isinstance(value, str)}
            print(path, thing.name, len(places), len(thing.data.polygons), box, pictures, words)
        meshes = [thing.data for thing in bpy.data.objects if thing.type == "MESH"]
        if path.endswith(".glb") and len(meshes) == 1:
            told = tangents(Path(path))
            if told is not None:
                compare(meshes[0], *told)


def tangents(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Places and texture coordinates (N, 5), and tangents (N, 4) of the first mesh of a .glb in Blender's frame."""
    content = path.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    document, binary = json.loads(content[20 : 20 + length]), content[28 + length :]
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    if "TANGENT" not in attributes:
        return None

    def rows(name: str, columns: int) -> np.ndarray:
        accessor = document["accessors"][attributes[name]]
        view = document["bufferViews"][accessor["bufferView"]]
        values = np.frombuffer(binary, "<f4", accessor["count"] * columns, view["byteOffset"])
        return values.reshape(-1, columns).astype(float)

    def z_up(vectors: np.ndarray) -> np.ndarray:
        return np.stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]], axis=1)

    at, tangent = rows("TEXCOORD_0", 2) * [1, -1] + [0, 1], rows("TANGENT", 4)
    return np.hstack([z_up(rows("POSITION", 3)), at]), np.hstack([z_up(tangent[:, :3]), tangent[:, 3:]])


def compare(mesh: object, keys: np.ndarray, told: np.ndarray) -> None:
    """Print how far Blender's tangents are from those of the file."""
    mesh.calc_tangents()
    uv = np.array([each.uv for each in mesh.uv_layers[0].data])
    place = np.array([mesh.vertices[loop.vertex_index].co for loop in mesh.loops])
    corners = np.hstack([place, uv])
    nearest = np.array([np.abs(keys - corner).sum(1).argmin() for corner in corners])
    cosine = (np.array([loop.tangent for loop in mesh.loops]) * told[nearest, :3]).sum(1)
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    same = (np.array([loop.bitangent_sign for loop in mesh.loops]) == told[nearest, 3]).mean()
    print(f"tangents: mean {degrees.mean():.3f}, median {np.median(degrees):.3f}, largest {degrees.max():.2f} degrees "
          f"from Blender's; signs equal at {same:.2%} of {len(corners)} corners")  # fmt: skip


if __name__ == "__main__":
    main()
