"""A glTF document with its vertices and triangles packed: EXT_meshopt_compression or KHR_draco_mesh_compression.

Both are lossy as they are used here: positions keep 14 to 15 bits of the longest side, texture coordinates 14, normals
9. Pictures stay as they are.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from zero123pp.errors import MissingBackend
from zero123pp.recon.export.fewer_faces import meshoptimizer

MESHOPT, DRACO = "EXT_meshopt_compression", "KHR_draco_mesh_compression"
EXTENSIONS = {"meshopt": MESHOPT, "draco": DRACO}

_BITS = {"POSITION": 15, "TEXCOORD_0": 14, "NORMAL": 9, "TANGENT": 9, "COLOR_0": 12}
"""Kept of each attribute: positions relative to the longest side, others to 1."""
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TYPES = {5123: "<u2", 5125: "<u4", 5126: "<f4"}


def check_compression(kind: str) -> None:
    """MissingBackend where the library of a kind of `EXTENSIONS` is not installed."""
    meshoptimizer() if kind == "meshopt" else _dracopy()


def _dracopy() -> ModuleType:
    try:
        import DracoPy
    except ImportError as error:
        raise MissingBackend("--compress draco needs DracoPy: pip install 'zero123pp[draco]'") from error
    return DracoPy


def compressed(document: Mapping, binary: bytes, kind: str) -> tuple[dict, bytes]:
    """The document and its buffer with all primitives packed.

    Args:
        document: with accessors and bufferViews, and without buffers.
        binary: what the buffer views speak of.
        kind: of `EXTENSIONS`.

    Returns:
        the document with its buffers (the first is that of the returned bytes), and these.
    """
    packer = _Packer(document, binary)
    for mesh in packer.document["meshes"]:
        for primitive in mesh["primitives"]:
            (packer.by_meshopt if kind == "meshopt" else packer.by_draco)(primitive)
    return packer.done(EXTENSIONS[kind])


class _Packer:
    """Takes the arrays of a document and gathers the new buffer."""

    def __init__(self, document: Mapping, binary: bytes) -> None:
        self.document = {**document, "meshes": [_copied(mesh) for mesh in document["meshes"]]}
        self._binary, self._out = binary, bytearray()
        self._views: list[dict] = []
        self._accessors = [dict(each) for each in document["accessors"]]
        self._unpacked = 0
        """Bytes of the buffer that readers unpack into."""
        self.document["images"] = [self._picture(each) for each in document.get("images", ())]

    def _picture(self, image: Mapping) -> dict:
        view = self.document["bufferViews"][image["bufferView"]]
        content = self._binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        return {**image, "bufferView": self._view(**self._put(content))}

    def _put(self, content: bytes) -> dict:
        """Where the bytes lie now."""
        self._out.extend(b"\0" * (-len(self._out) % 4))
        place = {"buffer": 0, "byteOffset": len(self._out), "byteLength": len(content)}
        self._out.extend(content)
        return place

    def _view(self, **view: Any) -> int:
        self._views.append(view)
        return len(self._views) - 1

    def _array(self, index: int) -> np.ndarray:
        """The rows of an accessor."""
        accessor = self.document["accessors"][index]
        start = self.document["bufferViews"][accessor["bufferView"]]["byteOffset"]
        width = _WIDTHS[accessor["type"]]
        found = np.frombuffer(self._binary, _TYPES[accessor["componentType"]], accessor["count"] * width, start)
        return found.reshape(-1, width)

    def by_meshopt(self, primitive: dict) -> None:
        """Each buffer view on its own; vertices in the order in which triangles meet them."""
        library = meshoptimizer()
        count = self._accessors[primitive["attributes"]["POSITION"]]["count"]
        indices = self._array(primitive["indices"]).reshape(-1).astype(np.uint32)
        ordered = np.zeros_like(indices)
        library.optimize_vertex_cache(ordered, indices, len(indices), count)
        used, first = np.unique(ordered, return_index=True)
        order = used[np.argsort(first)]
        place = np.zeros(count, np.uint32)
        place[order] = np.arange(len(order), dtype=np.uint32)
        for name, index in primitive["attributes"].items():
            rows = np.ascontiguousarray(_rounded(name, self._array(index)[order]), "<f4")
            accessor = self._accessors[index]
            accessor |= {"count": len(rows), "bufferView": self._meshopt_view(
                library.encode_vertex_buffer(rows), rows.nbytes, len(rows), rows.strides[0], "ATTRIBUTES", 34962
            )}  # fmt: skip
            if "min" in accessor:
                accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        index, size = primitive["indices"], 2 if self._accessors[primitive["indices"]]["componentType"] == 5123 else 4
        content = library.encode_index_buffer(place[ordered], len(indices), len(order))
        view = self._meshopt_view(content, len(indices) * size, len(indices), size, "TRIANGLES", 34963)
        self._accessors[index] |= {"bufferView": view}

    def _meshopt_view(self, content: bytes, length: int, count: int, stride: int, mode: str, target: int) -> int:
        packed = self._put(content) | {"byteStride": stride, "count": count, "mode": mode}
        start = self._unpacked + -self._unpacked % 4
        self._unpacked = start + length
        strides = {"byteStride": stride} if mode == "ATTRIBUTES" else {}
        return self._view(
            buffer=1, byteOffset=start, byteLength=length, **strides, target=target, extensions={MESHOPT: packed}
        )

    def by_draco(self, primitive: dict) -> None:
        """One packet for the primitive; accessors then say what is in it and no longer where."""
        library = _dracopy()
        arrays = {name: self._array(index) for name, index in primitive["attributes"].items()}
        others = [name for name in arrays if name not in ("POSITION", "NORMAL", "TEXCOORD_0")]
        doubles = {name: arrays[name].astype(np.float64) for name in ("NORMAL", "TEXCOORD_0") if name in arrays}
        content = library.encode(
            arrays["POSITION"], self._array(primitive["indices"]).reshape(-1, 3), quantization_bits=_BITS["POSITION"],
            compression_level=7, normals=doubles["NORMAL"], tex_coord=doubles.get("TEXCOORD_0"),
            tex_coord_quantization_bits=_BITS["TEXCOORD_0"], normal_quantization_bits=_BITS["NORMAL"],
            generic_attributes={_GENERIC + k: _rounded(name, arrays[name]) for k, name in enumerate(others)} or None,
        )  # fmt: skip
        found = library.decode(content)
        ids = {_DRACO_NAMES[each["attribute_type"]]: each["unique_id"] for each in found.attributes
               if each["attribute_type"] in _DRACO_NAMES}  # fmt: skip
        ids |= {name: _GENERIC + k for k, name in enumerate(others)}
        for index in primitive["attributes"].values():
            accessor = self._accessors[index]
            accessor.pop("bufferView")
            accessor["count"] = len(found.points)
            if "min" in accessor:
                accessor |= {"min": found.points.min(0).tolist(), "max": found.points.max(0).tolist()}
        corners = self._accessors[primitive["indices"]]
        corners.pop("bufferView")
        corners["count"] = int(found.faces.size)
        packet = {"bufferView": self._view(**self._put(content)), "attributes": {name: ids[name] for name in arrays}}
        primitive["extensions"] = {**primitive.get("extensions", {}), DRACO: packet}

    def done(self, extension: str) -> tuple[dict, bytes]:
        document = {**self.document, "accessors": self._accessors, "bufferViews": self._views}
        document["buffers"] = [{"byteLength": len(self._out)}]
        if self._unpacked:
            fallback = {"byteLength": self._unpacked, "extensions": {MESHOPT: {"fallback": True}}}
            document["buffers"].append(fallback)
        if not document["images"]:
            document.pop("images")
        for key in ("extensionsUsed", "extensionsRequired"):
            document[key] = [*document.get(key, ()), extension]
        return document, bytes(self._out)


_GENERIC = 16
"""First of Draco's ids for attributes that it has no type for; its own are numbered from 0."""
_DRACO_NAMES = {0: "POSITION", 1: "NORMAL", 3: "TEXCOORD_0"}


def _copied(mesh: Mapping) -> dict:
    return {**mesh, "primitives": [dict(each) for each in mesh["primitives"]]}


def _rounded(name: str, rows: np.ndarray) -> np.ndarray:
    """Rows whose last bits are zeros, which packs; the sign of a bitangent stays."""
    size = float(np.ptp(rows, axis=0).max()) if name == "POSITION" else 1.0
    step = 2.0 ** (np.ceil(np.log2(max(size, 1e-30))) - _BITS[name])
    return (np.round(rows.astype(np.float64) / step) * step).astype(np.float32)
