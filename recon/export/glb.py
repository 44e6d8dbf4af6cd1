"""glTF 2.0 (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html): one mesh, one material, one file.

Written here and not by trimesh, because importing trimesh costs more time than the whole export, and it writes vertex
colours as they are where glTF wants them linear.
"""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zero123pp import __version__
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import srgb_to_linear
from zero123pp.recon.export.options import MATERIALS, FileOptions
from zero123pp.recon.export.texture_file import MIME, encode_texture
from zero123pp.recon.meshing import smooth_normals
from zero123pp.types import Mesh, Part, TexturedMesh

if TYPE_CHECKING:
    import trimesh

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTICES, _INDICES = 34962, 34963
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP_TO_EDGE = 9729, 9987, 33071
_WEBP, _LOD = "EXT_texture_webp", "MSFT_lod"
_ORM_TEXELS = 512
"""Side of the picture with the occlusion at most: it is smooth."""
_JSON, _BIN = b"JSON", b"BIN\0"


def encode_glb(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """One binary file, equal bytes for equal input; see `zero123pp.recon.export.EXPORTERS`."""
    return {f"{stem}.glb": _binary(*_document({options.name: asset}, extras, options))}


def encode_gltf(asset: Part, stem: str, extras: Mapping, options: FileOptions = FileOptions()) -> dict[str, bytes]:
    """One JSON file with its buffer in it, so that nothing has to lie beside it."""
    builder, document = _document({options.name: asset}, extras, options)
    return {f"{stem}.gltf": builder.gltf(document)}


def encode_levels(levels: Sequence[Part], extras: Mapping, options: FileOptions = FileOptions()) -> bytes:
    """A GLB with all levels of detail, the finest first, under one texture (MSFT_lod).

    Readers without the extension show the finest. ``MSFT_screencoverage`` says down to which share of the screen's
    height each level is meant: a level with half of the triangles is as dense on half of the area.
    """
    named = {f"{options.name}_lod{index}" if index else options.name: level for index, level in enumerate(levels)}
    builder, document = _document(named, extras, options)
    first = document["nodes"][0]
    first["extensions"] = {_LOD: {"ids": list(range(1, len(levels)))}}
    shares = [round(0.5 * 0.5 ** (index / 2), 4) for index in range(len(levels) - 1)]
    first["extras"] = first.get("extras", {}) | {"MSFT_screencoverage": [*shares, 0.0]}
    document["scenes"] = [{"nodes": [0]}]
    document["extensionsUsed"] = [*document.get("extensionsUsed", ()), _LOD]
    return _binary(builder, document)


def encode_meshes(
    meshes: Mapping[str, Mesh], stem: str, suffix: str, extras: Mapping, options: FileOptions = FileOptions()
) -> dict[str, bytes]:
    """A .glb or .gltf of several named meshes, each with its node."""
    builder, document = _document(meshes, extras, options)
    content = _binary(builder, document) if suffix == ".glb" else builder.gltf(document)
    return {f"{stem}{suffix}": content}


def _binary(builder: "_Builder", document: Mapping) -> bytes:
    content = builder.glb(document)
    check_glb(content)
    return content


def _document(assets: Mapping[str, Part], extras: Mapping, options: FileOptions) -> tuple["_Builder", dict]:
    """The scene with a node for each named asset, and the builder that has its buffer.

    Assets that have a texture have the same one; each may have a normal map of its own.
    """
    builder, first = _Builder(options.compress), next(iter(assets.values()))
    pictures, materials, meshes, nodes = {}, [], [], []
    texture_format = options.texture_format or "jpeg"
    if isinstance(first, TexturedMesh):
        pictures[options.name] = encode_texture(first.base_color, texture_format)
        if options.occlusion:
            pictures[f"{options.name}_orm"] = encode_texture(_orm(first), texture_format, is_color=False)
    for name, asset in assets.items():
        metallic, roughness = MATERIALS[options.material]  # left out, glTF's metallicFactor is 1: nearly black
        material = {"pbrMetallicRoughness": {"metallicFactor": metallic, "roughnessFactor": roughness}}
        if isinstance(asset, TexturedMesh):
            material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
            if options.occlusion:
                material["pbrMetallicRoughness"]["metallicRoughnessTexture"] = {"index": 1}
                material["occlusionTexture"] = {"index": 1}
        if _has_normal_map(asset):
            material["normalTexture"] = {"index": len(pictures)}
            pictures[f"{name}_normal"] = encode_texture(asset.normal_map, texture_format, is_color=False)
        if material not in [{key: each[key] for key in each if key != "name"} for each in materials]:
            materials.append({"name": name} | material)
        which = [{key: each[key] for key in each if key != "name"} for each in materials].index(material)
        attributes, faces = _attributes(builder, asset)
        primitive = {"attributes": attributes, "indices": builder.indices(faces), "material": which}
        meshes.append({"name": name, "primitives": [primitive]})
        nodes.append({"mesh": len(meshes) - 1, "name": name})
    if "licence" in extras:  # Blender drops what stands under "asset"
        nodes[0]["extras"] = {"licence": extras["licence"]}
    asset_words = {"version": "2.0", "generator": f"zero123pp {__version__}"}
    return builder, {
        "asset": asset_words | ({"extras": dict(extras)} if extras else {}),
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": nodes,
        "meshes": meshes,
        "materials": materials,
        **(_textures(builder, pictures, texture_format) if pictures else {}),
    }


def _orm(asset: TexturedMesh) -> np.ndarray:
    """Occlusion in red; green and blue leave roughness and metalness to the material's factors."""
    from zero123pp.recon.texturing import occlusion_of

    seen = occlusion_of(asset, min(max(asset.base_color.shape[:2]), _ORM_TEXELS))
    return np.stack([seen, np.full_like(seen, 255), np.full_like(seen, 255)], axis=-1)


def _has_normal_map(asset: Part) -> bool:
    return isinstance(asset, TexturedMesh) and asset.normal_map is not None and asset.tangents is not None


def _attributes(builder: "_Builder", asset: Part) -> tuple[dict, np.ndarray]:
    """The vertex attributes of an asset by name, and its faces (F, 3)."""
    mesh = asset.mesh if isinstance(asset, TexturedMesh) else asset
    attributes = {"POSITION": builder.vertices(mesh.vertices, bounds=True)}
    given = asset.normals if isinstance(asset, TexturedMesh) else None
    attributes["NORMAL"] = builder.vertices(_unit(smooth_normals(mesh) if given is None else given))
    if _has_normal_map(asset):
        attributes["TANGENT"] = builder.vertices(asset.tangents)
    if isinstance(asset, TexturedMesh):
        attributes["TEXCOORD_0"] = builder.vertices(asset.uvs * [1, -1] + [0, 1])
    elif mesh.colors is not None:
        # Floats: 8 bits merge dark shades of linear light, and trimesh reads 16 bits wrongly.
        attributes["COLOR_0"] = builder.vertices(srgb_to_linear(mesh.colors / 255))
    return attributes, _proper_faces(mesh)


def _textures(builder: "_Builder", pictures: Mapping[str, bytes], texture_format: str) -> dict:
    """The parts of the document about the textures; WebP is no core glTF and needs a reader of its extension."""
    is_webp = texture_format == "webp"
    sampler = {
        "magFilter": _LINEAR,
        "minFilter": _LINEAR_MIPMAP_LINEAR,
        "wrapS": _CLAMP_TO_EDGE,
        "wrapT": _CLAMP_TO_EDGE,
    }
    return {
        "textures": [
            {"sampler": 0} | ({"extensions": {_WEBP: {"source": source}}} if is_webp else {"source": source})
            for source in range(len(pictures))
        ],
        "images": [
            {"bufferView": builder.view(content), "mimeType": MIME[texture_format], "name": name}
            for name, content in pictures.items()
        ],
        "samplers": [sampler],
        **({"extensionsUsed": [_WEBP], "extensionsRequired": [_WEBP]} if is_webp else {}),
    }


class _Builder:
    """Collects buffer views and accessors, and the bytes they speak of."""

    def __init__(self, compress: str | None = None) -> None:
        self.compress = compress
        self.binary = bytearray()
        self.views: list[dict] = []
        self.accessors: list[dict] = []

    def view(self, content: bytes, target: int | None = None) -> int:
        """Index of a new buffer view."""
        self.binary.extend(b"\0" * (-len(self.binary) % 4))
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(content)}
        self.views.append(view if target is None else view | {"target": target})
        self.binary.extend(content)
        return len(self.views) - 1

    def accessor(self, array: np.ndarray, target: int, component: int, kind: str, **more: object) -> int:
        """Index of a new accessor to an array of little-endian rows."""
        accessor = {"bufferView": self.view(array.tobytes(), target), "componentType": component}
        self.accessors.append(accessor | {"count": len(array), "type": kind} | more)
        return len(self.accessors) - 1

    def vertices(self, rows: np.ndarray, *, bounds: bool = False) -> int:
        """Float attribute (N, 2 to 4)."""
        rows = np.ascontiguousarray(rows, "<f4")
        more = {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()} if bounds else {}
        return self.accessor(rows, _VERTICES, _FLOAT, f"VEC{rows.shape[1]}", **more)

    def indices(self, faces: np.ndarray) -> int:
        """Triangle indices (F, 3), with 16 bits where they suffice (the largest value is reserved)."""
        small = faces.size == 0 or faces.max() < 65535
        flat = np.ascontiguousarray(faces.reshape(-1), "<u2" if small else "<u4")
        return self.accessor(flat, _INDICES, _UINT16 if small else _UINT32, "SCALAR")

    def glb(self, document: Mapping) -> bytes:
        """The whole file, binary."""
        tree, binary = self._packed(document)
        text = _json(tree)
        text += b" " * (-len(text) % 4)
        binary += b"\0" * (-len(binary) % 4)
        chunks = struct.pack("<I4s", len(text), _JSON) + text + struct.pack("<I4s", len(binary), _BIN) + binary
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

    def gltf(self, document: Mapping) -> bytes:
        """The whole file, as text."""
        tree, binary = self._packed(document)
        tree["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode("ascii")
        return _json(tree)

    def _packed(self, document: Mapping) -> tuple[dict, bytes]:
        """The document with its buffer, and the bytes of that."""
        tree, binary = {**document, "accessors": self.accessors, "bufferViews": self.views}, bytes(self.binary)
        if self.compress is None:
            return tree | {"buffers": [{"byteLength": len(binary)}]}, binary
        from zero123pp.recon.export.compressed import compressed

        return compressed(tree, binary, self.compress)


def _json(tree: Mapping) -> bytes:
    try:
        return json.dumps(tree, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"extras cannot be written as JSON: {error}") from error


def check_glb(content: bytes) -> dict:
    """Read back the header of a GLB, and return its JSON document.

    Raises:
        StageFailed: lengths, JSON or buffer views do not fit together.
    """
    try:
        magic, version, length = struct.unpack_from("<4sII", content)
        text_length, text_kind = struct.unpack_from("<I4s", content, 12)
        document = json.loads(content[20 : 20 + text_length])
        binary_length, binary_kind = struct.unpack_from("<I4s", content, 20 + text_length)
        views = [view for view in document["bufferViews"] if view["buffer"] == 0]  # others are yet to be unpacked
        inside = all(view["byteOffset"] + view["byteLength"] <= binary_length for view in views)
    except (struct.error, ValueError, KeyError) as error:
        raise StageFailed(f"the GLB that was made is broken: {error}") from error
    if (magic, version, length, text_kind, binary_kind, inside) != (b"glTF", 2, len(content), _JSON, _BIN, True):
        raise StageFailed(f"the GLB that was made is broken: {len(content)} bytes, but its header says {length}")
    return document


def to_trimesh(asset: Part) -> "trimesh.Trimesh":
    """The asset as trimesh reads it from a GLB: split at UV seams, with normals and a matt PBR material."""
    import trimesh
    from PIL import Image

    if not isinstance(asset, TexturedMesh):
        return trimesh.Trimesh(asset.vertices, asset.faces, vertex_colors=asset.colors, process=False)
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(np.array(asset.base_color)),
        normalTexture=None if asset.normal_map is None else Image.fromarray(np.array(asset.normal_map)),
        metallicFactor=MATERIALS["matte"][0],
        roughnessFactor=MATERIALS["matte"][1],
    )
    return trimesh.Trimesh(
        asset.mesh.vertices,
        asset.mesh.faces,
        vertex_normals=asset.normals,
        visual=trimesh.visual.TextureVisuals(uv=np.array(asset.uvs), material=material),
        process=False,
    )


def _unit(normals: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) float32; +Y where there is none, because glTF allows no normal of length 0."""
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 1e-6, normals / np.maximum(length, 1e-6), [0, 1, 0]).astype(np.float32)


def _proper_faces(mesh: Mesh) -> np.ndarray:
    """Faces (F, 3) whose corners lie at three different places."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return mesh.faces[(a != b).any(-1) & (b != c).any(-1) & (c != a).any(-1)]
