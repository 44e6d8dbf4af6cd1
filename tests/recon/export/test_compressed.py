"""Packed files, unpacked again by the libraries' own decoders as the extensions' texts say."""

import base64
import json
import subprocess
from functools import cache

import gltf_validator
import numpy as np
import pytest
from scipy.spatial import cKDTree
from shapes import icosphere, painted

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.images import to_uint8
from zero123pp.recon.export import COMPRESSIONS, FileOptions, check_target, export, save
from zero123pp.recon.export.compressed import EXTENSIONS
from zero123pp.recon.export.glb import check_glb
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import is_watertight, smooth_normals, welded
from zero123pp.recon.texturing import with_normal_map
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

MODULES = {"meshopt": "meshoptimizer", "draco": "DracoPy"}


@pytest.fixture(params=COMPRESSIONS)
def kind(request):
    pytest.importorskip(MODULES[request.param], reason=f"the library of --compress {request.param}")
    return request.param


@cache
def asset(what: str):
    ball = icosphere(3)
    if what == "colored":
        return Mesh(ball.vertices, ball.faces, to_uint8(painted(ball.vertices)))
    faces = ball.faces
    left = ball.vertices[faces].mean(1)[:, 0] < 0
    vertices = np.concatenate([ball.vertices, ball.vertices])  # two charts, so that there is a seam
    faces = np.where(left[:, None], faces, faces + len(ball.vertices))
    used, faces = np.unique(faces, return_inverse=True)
    mesh = Mesh(vertices[used], faces.reshape(-1, 3))
    uvs = (mesh.vertices[:, 1:] + 0.5) * [0.48, 0.9] + np.where(used[:, None] < len(ball.vertices), 0.01, [0.51, 0.01])
    texture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    made = TexturedMesh(mesh, uvs, texture, smooth_normals(mesh))
    return made if what == "textured" else with_normal_map(made, ball, 64)


def document_of(path):
    if path.suffix == ".glb":
        content = path.read_bytes()
        document = check_glb(content)
        return document, content[20 + int.from_bytes(content[12:16], "little") + 8 :]
    document = json.loads(path.read_text())
    return document, base64.b64decode(document["buffers"][0]["uri"].split(",")[1])


def unpacked(path, primitive=0, mesh=0):
    """The attributes by name, and the triangles (F, 3)."""
    document, binary = document_of(path)
    primitive = document["meshes"][mesh]["primitives"][primitive]
    if "extensions" in primitive:
        import DracoPy

        packet = primitive["extensions"]["KHR_draco_mesh_compression"]
        view = document["bufferViews"][packet["bufferView"]]
        found = DracoPy.decode(binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
        by_id = {each["unique_id"]: each["data"] for each in found.attributes}
        assert document["accessors"][primitive["indices"]]["count"] == found.faces.size
        return {name: by_id[unique] for name, unique in packet["attributes"].items()}, np.asarray(found.faces)
    import meshoptimizer

    arrays = {}
    for name, index in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        packed = view["extensions"]["EXT_meshopt_compression"]
        content = binary[packed["byteOffset"] : packed["byteOffset"] + packed["byteLength"]]
        assert packed["count"] * packed["byteStride"] == view["byteLength"] and packed["count"] == accessor["count"]
        assert document["buffers"][view["buffer"]]["byteLength"] >= view["byteOffset"] + view["byteLength"]
        if name == "indices":
            assert packed["mode"] == "TRIANGLES" and content[0] == 0xE1, "the version that the extension has"
            assert packed["byteStride"] == {5123: 2, 5125: 4}[accessor["componentType"]]
            arrays[name] = meshoptimizer.decode_index_buffer(packed["count"], 4, content)
        else:
            assert packed["mode"] == "ATTRIBUTES" and content[0] == 0xA0, "the version that the extension has"
            width = packed["byteStride"]
            raw = meshoptimizer.decode_vertex_buffer(packed["count"], width, content)
            arrays[name] = np.frombuffer(np.asarray(raw).tobytes(), "<f4").reshape(-1, width // 4)
    return arrays, np.asarray(arrays.pop("indices")).reshape(-1, 3)


@pytest.mark.parametrize("what", ["textured", "colored", "normal map"])
@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_what_is_unpacked_is_what_was_packed(tmp_path, kind, suffix, what):
    plain, packed = tmp_path / "plain.glb", tmp_path / f"packed{suffix}"
    save(asset(what), plain)
    save(asset(what), packed, options=FileOptions(compress=kind))
    document, _ = document_of(packed)
    assert document["extensionsUsed"] == document["extensionsRequired"] == [EXTENSIONS[kind]]
    attributes, faces = unpacked(packed)
    wanted, wanted_faces = uncompressed(plain)
    assert set(attributes) == set(wanted) and len(faces) == len(wanted_faces)
    got, want = rows(attributes, faces), rows(wanted, wanted_faces)
    order = cKDTree(got[..., :3].mean(1)).query(want[..., :3].mean(1))[1]
    assert len(np.unique(order)) == len(faces)
    turns = np.stack([np.roll(got[order], turn, axis=1) for turn in range(3)])
    apart = np.abs(turns - want)[..., :3].max((2, 3))
    best = apart.argmin(0)
    assert apart.min(0).max() < 1e-4, "positions"
    error = np.abs(turns[best, np.arange(len(faces))] - want).max((0, 1))
    assert error.max() < (0.02 if kind == "draco" else 0.005)
    assert is_watertight(welded(Mesh(attributes["POSITION"], faces)).faces), "seams stay closed"
    bounds = document["accessors"][document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert np.allclose(bounds["min"], attributes["POSITION"].min(0), atol=1e-7)


def uncompressed(path):
    """As `unpacked`, of a file that nothing is packed in."""
    document, binary = document_of(path)
    arrays = {}
    primitive = document["meshes"][0]["primitives"][0]
    for name, index in {**primitive["attributes"], "indices": primitive["indices"]}.items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        kind = {5123: "<u2", 5126: "<f4"}[accessor["componentType"]]
        content = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        arrays[name] = np.frombuffer(content, kind).reshape(accessor["count"], -1)
    return arrays, arrays.pop("indices").reshape(-1, 3)


def rows(attributes, faces):
    """(F, 3, C): what the corners of each triangle have, positions first."""
    order = ["POSITION", *sorted(set(attributes) - {"POSITION"})]
    return np.concatenate([attributes[name][faces] for name in order], axis=2)


def test_the_validator_finds_only_that_it_cannot_look_inside(tmp_path, kind):
    if reason := gltf_validator.unavailable():
        pytest.skip(reason)
    save(asset("normal map"), tmp_path / "a.glb", options=FileOptions(compress=kind))
    command = ["node", gltf_validator.FOLDER / "validate.js", tmp_path / "a.glb"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120).stdout)
    found = {each["code"] for each in report["issues"]["messages"]}
    assert found == ({"UNSUPPORTED_EXTENSION"} if kind == "meshopt" else {"UNSUPPORTED_EXTENSION", "UNUSED_OBJECT"})
    assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0


def test_it_is_smaller_and_the_same_bytes_twice_and_its_picture_is_untouched(tmp_path, kind):
    save(asset("textured"), tmp_path / "plain.glb")
    for name in ("a", "b"):
        save(asset("textured"), tmp_path / f"{name}.glb", options=FileOptions(compress=kind, name="object"))
    first = (tmp_path / "a.glb").read_bytes()
    assert first == (tmp_path / "b.glb").read_bytes()
    pictures = []
    for name in ("plain", "a"):
        document, binary = document_of(tmp_path / f"{name}.glb")
        view = document["bufferViews"][document["images"][0]["bufferView"]]
        pictures.append(binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
    assert pictures[0] == pictures[1]
    geometry = [len(each) - len(pictures[0]) for each in ((tmp_path / "plain.glb").read_bytes(), first)]
    assert geometry[1] < 0.6 * geometry[0]


def test_levels_in_one_file_are_packed_each(tmp_path, kind):
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    save(asset("textured"), tmp_path / "in.glb")
    options = FileOptions(compress=kind)
    written = export(tmp_path / "in.glb", tmp_path / "a.glb", lods=2, msft_lod=True, options=options)
    document, _ = document_of(tmp_path / "a_lods.glb")
    assert document["extensionsUsed"] == ["MSFT_lod", EXTENSIONS[kind]]
    assert [len(unpacked(tmp_path / "a_lods.glb", mesh=k)[1]) for k in (0, 1)] == [each.faces for each in written[:2]]


def test_a_packed_file_is_no_source(tmp_path, kind):
    save(asset("textured"), tmp_path / "a.glb", options=FileOptions(compress=kind))
    with pytest.raises(BadInput, match=f"needs {EXTENSIONS[kind]}; write it without compression"):
        load_parts(tmp_path / "a.glb")


def test_other_formats_and_missing_libraries_are_refused(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="--compress draco does not go with"):
        check_target(tmp_path / "a.obj", options=FileOptions(compress="draco"))
    for compression, module in MODULES.items():
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(MissingBackend, match="pip install"):
            check_target(tmp_path / "a.glb", options=FileOptions(compress=compression))
    with pytest.raises(BadInput, match="expected meshopt or draco"):
        FileOptions(compress="zip")
