import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from shapes import icosphere

from zero123pp.errors import BadInput
from zero123pp.images import linear_to_srgb, to_uint8
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing.topology import signed_volume
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

TEXTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def ball(**material) -> trimesh.Trimesh:
    sphere = trimesh.creation.icosphere(2, 0.3)
    uv = sphere.vertices[:, :2] + 0.5
    if "baseColorTexture" in material or "baseColorFactor" in material:
        visual = trimesh.visual.TextureVisuals(uv=uv, material=trimesh.visual.material.PBRMaterial(**material))
        sphere.visual = visual
    return sphere


def written(tmp_path, scene: trimesh.Scene | trimesh.Trimesh, name: str = "scene.glb"):
    path = tmp_path / name
    scene.export(path)
    return path


def test_node_transforms_are_applied_and_mirrors_stay_outward(tmp_path):
    scene = trimesh.Scene()
    move = trimesh.transformations.translation_matrix([1, 2, 3])
    mirror = np.diag([-2.0, 1, 1, 1])
    scene.add_geometry(ball(baseColorTexture=Image.fromarray(TEXTURE)), node_name="a", transform=move)
    scene.add_geometry(ball(baseColorTexture=Image.fromarray(TEXTURE)), node_name="b", transform=mirror)
    parts = load_parts(written(tmp_path, scene))
    moved, mirrored = sorted(parts, key=lambda part: -part.mesh.vertices[:, 0].max())
    assert np.allclose(moved.mesh.vertices.mean(0), [1, 2, 3], atol=1e-3)
    assert np.allclose(np.ptp(mirrored.mesh.vertices, axis=0), [1.2, 0.6, 0.6], atol=1e-3)
    assert signed_volume(moved.mesh) > 0 and signed_volume(mirrored.mesh) > 0


def test_texture_and_uvs_survive(tmp_path):
    (part,) = load_parts(written(tmp_path, ball(baseColorTexture=Image.fromarray(TEXTURE))))
    assert isinstance(part, TexturedMesh) and np.array_equal(part.base_color, TEXTURE)
    assert np.allclose(part.uvs, part.mesh.vertices[:, :2] + 0.5, atol=1e-6)


def test_color_factor_is_linear(tmp_path):
    factor = [0.5, 0.25, 1.0, 1.0]
    (part,) = load_parts(
        written(tmp_path, ball(baseColorTexture=Image.new("RGB", (2, 2), "white"), baseColorFactor=factor))
    )
    expected = to_uint8(linear_to_srgb(np.array(factor[:3])))
    assert np.abs(part.base_color.astype(int) - expected).max() <= 1
    (part,) = load_parts(written(tmp_path, ball(baseColorFactor=factor)))
    assert isinstance(part, Mesh) and np.abs(part.colors.astype(int) - expected).max() <= 1


def test_each_material_is_a_part(tmp_path):
    scene = trimesh.Scene([ball(baseColorFactor=[1.0, 0, 0, 1]), ball(baseColorTexture=Image.fromarray(TEXTURE))])
    kinds = {type(part) for part in load_parts(written(tmp_path, scene))}
    assert kinds == {Mesh, TexturedMesh}


def test_vertex_colors_of_ply_are_srgb_and_of_gltf_linear(tmp_path):
    sphere = trimesh.creation.icosphere(1, 0.3)
    sphere.visual.vertex_colors = np.full((len(sphere.vertices), 4), (128, 64, 32, 255), np.uint8)
    (part,) = load_parts(written(tmp_path, sphere, "ball.ply"))
    assert (part.colors == (128, 64, 32)).all()
    (part,) = load_parts(written(tmp_path, sphere, "ball.glb"))
    assert np.abs(part.colors - to_uint8(linear_to_srgb(np.array([128, 64, 32]) / 255)).astype(int)).max() <= 1


def test_masked_triangles_are_dropped_and_blended_ones_kept(tmp_path):
    rgba = np.full((8, 8, 4), 255, np.uint8)
    rgba[:, :4, 3] = 0  # hides the half with u < 0.5
    masked = ball(baseColorTexture=Image.fromarray(rgba), alphaMode="MASK", alphaCutoff=0.5)
    (part,) = load_parts(written(tmp_path, masked))
    centres = part.mesh.vertices[part.mesh.faces].mean(1)
    assert centres[:, 0].min() > -0.05 and len(part.mesh.faces) > 100
    (part,) = load_parts(written(tmp_path, ball(baseColorTexture=Image.fromarray(rgba), alphaMode="BLEND")))
    assert len(part.mesh.faces) == 320


def test_obj_with_material(tmp_path):
    path = written(tmp_path, ball(baseColorTexture=Image.fromarray(TEXTURE)), "ball.obj")
    (part,) = load_parts(path)
    assert isinstance(part, TexturedMesh) and np.array_equal(part.base_color, TEXTURE)


def test_plain_stl(tmp_path):
    sphere = icosphere(2)
    (part,) = load_parts(written(tmp_path, trimesh.Trimesh(sphere.vertices, sphere.faces), "ball.stl"))
    assert isinstance(part, Mesh) and part.colors is None and len(part.faces) == len(sphere.faces)


def glb_bytes(tree: dict, binary: bytes = b"\0" * 64) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


TRIANGLE = {
    "asset": {"version": "2.0"},
    "scene": 0,
    "scenes": [{"nodes": [0]}],
    "nodes": [{"mesh": 0}],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
    "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
    "bufferViews": [{"buffer": 0, "byteLength": 36}],
    "buffers": [{"byteLength": 64}],
}


POINTS = b"""ply
format ascii 1.0
element vertex 1
property float x
property float y
property float z
end_header
0 0 0
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.glb", b"this is no mesh"),
        ("empty.glb", b""),
        ("empty.obj", b""),
        ("empty.ply", b""),
        ("text.stl", b"solid"),
        ("binary.obj", bytes(range(256)) * 8),
        ("unknown.xyzw", b"1 2 3"),
        ("list.gltf", b"[1, 2]"),
        ("cut.glb", glb_bytes(TRIANGLE)[:-70]),
        ("short.glb", struct.pack("<4sII", b"glTF", 2, 12)),
        ("count.glb", glb_bytes(TRIANGLE | {"accessors": [TRIANGLE["accessors"][0] | {"count": 1 << 40}]})),
        ("negative.glb", glb_bytes(TRIANGLE | {"accessors": [TRIANGLE["accessors"][0] | {"count": -3}]})),
        ("nan.glb", glb_bytes(TRIANGLE, np.full(16, np.nan, "<f4").tobytes())),
        ("draco.glb", glb_bytes(TRIANGLE | {"extensionsRequired": ["KHR_draco_mesh_compression"]})),
        ("points.ply", POINTS),
    ],
)
def test_hostile_files_are_refused_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load_parts(path)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_the_hand_made_triangle_itself_is_fine(tmp_path):
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
    (tmp_path / "triangle.glb").write_bytes(glb_bytes(TRIANGLE, corners + b"\0" * 28))
    (part,) = load_parts(tmp_path / "triangle.glb")
    assert len(part.faces) == 1


def test_missing_file_and_huge_texture(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no mesh file"):
        load_parts(tmp_path / "missing.glb")
    path = written(tmp_path, ball(baseColorTexture=Image.fromarray(TEXTURE)))
    monkeypatch.setattr("zero123pp.recon.load.parts.MAX_TEXTURE_PIXELS", 16)
    with pytest.raises(BadInput, match="8x8 px is too large"):
        load_parts(path)


def test_real_files(shared):
    parts = load_parts(shared / "bench" / "crane_spot_cow.glb")
    assert len(parts) == 1 and isinstance(parts[0], TexturedMesh) and parts[0].normals is not None
