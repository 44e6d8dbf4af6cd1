import errno
import json
import os
import re
import struct

import numpy as np
import pytest
import trimesh
from disk import small_files
from PIL import Image
from shapes import icosphere, painted

from zero123pp import __version__
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import to_uint8
from zero123pp.recon.export import EXPORTERS, FileOptions, check_target, save
from zero123pp.recon.export.glb import check_glb, to_trimesh
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def textured() -> TexturedMesh:
    """A sphere cut into single triangles, each with its own place in the texture."""
    sphere = icosphere(2)
    split = Mesh(sphere.vertices[sphere.faces].reshape(-1, 3), np.arange(sphere.faces.size).reshape(-1, 3))
    rng = np.random.default_rng(0)
    normals = smooth_normals(split)
    return TexturedMesh(
        split, rng.random((len(split.vertices), 2)), rng.integers(0, 256, (32, 64, 3), np.uint8), normals
    )


@pytest.fixture(scope="module")
def colored() -> Mesh:
    sphere = icosphere(2)
    return Mesh(sphere.vertices, sphere.faces, to_uint8(painted(sphere.vertices)))


def document(path) -> dict:
    return check_glb(path.read_bytes())


@pytest.mark.parametrize("kind", ["textured", "colored", "plain", "large"])
def test_glb_is_valid(tmp_path, textured, colored, kind, validate_glb):
    large = icosphere(6)  # 40962 vertices; three copies need 32-bit indices
    faces = np.concatenate([large.faces, large.faces + 40962])
    asset = {
        "textured": textured,
        "colored": colored,
        "plain": Mesh(colored.vertices, colored.faces),
        "large": Mesh(np.concatenate([large.vertices, large.vertices + 1]), faces),
    }[kind]
    path = tmp_path / "asset.glb"
    save(asset, path, extras={"model": "preview", "seed": 3, "note": "Größe ↗", "guessed": ["back"]})
    faces = (textured.mesh if kind == "textured" else asset).faces
    validate_glb(path, totalTriangleCount=len(faces), hasTextures=kind == "textured")
    tree = document(path)
    assert tree["asset"]["generator"] == f"zero123pp {__version__}"
    assert tree["asset"]["extras"] == {"model": "preview", "seed": 3, "note": "Größe ↗", "guessed": ["back"]}
    assert tree["accessors"][tree["meshes"][0]["primitives"][0]["indices"]]["componentType"] == (
        5125 if kind == "large" else 5123
    )


def test_glb_material_is_matt_opaque_and_single_sided(tmp_path, textured):
    save(textured, tmp_path / "asset.glb")
    tree = document(tmp_path / "asset.glb")
    (material,) = tree["materials"]
    pbr = material["pbrMetallicRoughness"]
    assert pbr["metallicFactor"] == 0.0 and pbr["roughnessFactor"] == 1.0
    assert "baseColorFactor" not in pbr and not material.get("doubleSided") and "alphaMode" not in material
    assert set(tree["meshes"][0]["primitives"][0]["attributes"]) == {"POSITION", "NORMAL", "TEXCOORD_0"}
    assert tree["images"][0]["mimeType"] == "image/jpeg" and "extensionsUsed" not in tree


def test_textured_glb_round_trip_keeps_the_frame_and_every_texel(tmp_path, textured):
    save(textured, tmp_path / "asset.glb", options=FileOptions(texture_format="png"))
    (part,) = load_parts(tmp_path / "asset.glb")
    assert np.array_equal(part.mesh.vertices, textured.mesh.vertices)
    assert np.array_equal(part.mesh.faces, textured.mesh.faces)
    assert np.allclose(part.uvs, textured.uvs, atol=1e-6) and np.allclose(part.normals, textured.normals, atol=1e-6)
    assert np.array_equal(part.base_color, textured.base_color)


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".obj"])
def test_vertex_colors_round_trip(tmp_path, colored, suffix):
    path = tmp_path / f"asset{suffix}"
    save(colored, path, options=FileOptions(axes="y-up"))
    (part,) = load_parts(path)
    order = np.lexsort(part.vertices.T), np.lexsort(colored.vertices.T)
    assert np.allclose(part.vertices[order[0]], colored.vertices[order[1]], atol=1e-6)
    assert np.abs(part.colors[order[0]].astype(int) - colored.colors[order[1]]).max() <= 4


def test_textured_obj_names_its_files_after_itself(tmp_path, textured):
    save(textured, tmp_path / "toy-1.obj")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy-1.mtl", "toy-1.obj", "toy-1_texture.png"]


@pytest.mark.parametrize(
    "name",
    ["toy", "my toy", "löffel ↗", "-s 1", "a\nb#c", os.fsdecode(b"raw\xff"), "a" * 250 + "\t"],
)
def test_other_readers_find_the_texture_of_an_obj_of_any_name(tmp_path, textured, name):
    name += ".obj"
    save(textured, tmp_path / name)
    beside = {path.name for path in tmp_path.iterdir()} - {name}
    assert len(beside) == 2 and all(re.fullmatch(r"[!-~]+", each) and each[0] != "-" for each in beside)
    words = [
        line.split(" ") for path in tmp_path.iterdir() if path.suffix != ".png" for line in path.read_text().split("\n")
    ]
    named = {line[1] for line in words if line[0] in ("mtllib", "map_Kd") and len(line) == 2}
    assert named == beside, "each is named by exactly one word"
    (tmp_path / name).rename(tmp_path / "renamed.obj")  # what it is called itself does not matter
    read = trimesh.load(tmp_path / "renamed.obj", process=False, force="mesh")
    assert np.array_equal(np.asarray(read.visual.material.image), textured.base_color)
    assert np.allclose(read.triangles, textured.mesh.vertices[textured.mesh.faces], atol=1e-6)
    (part,) = load_parts(tmp_path / "renamed.obj")
    assert np.array_equal(part.base_color, textured.base_color)
    assert np.allclose(part.mesh.vertices[part.mesh.faces], textured.mesh.vertices[textured.mesh.faces], atol=1e-6)
    assert np.allclose(part.uvs[part.mesh.faces], textured.uvs[textured.mesh.faces], atol=1e-6)


def test_names_that_are_spelled_alike_keep_their_own_textures(tmp_path, textured):
    other = TexturedMesh(textured.mesh, textured.uvs, 255 - textured.base_color, textured.normals)
    for name, asset in (("a b.obj", textured), ("a_b.obj", other), ("a\tb.obj", other)):
        save(asset, tmp_path / name)
    assert len(list(tmp_path.iterdir())) == 9
    (part,) = load_parts(tmp_path / "a b.obj")
    assert np.array_equal(part.base_color, textured.base_color)


@pytest.mark.parametrize("name", ["toy.obj", "toy.data"])
def test_through_a_link_the_texture_lies_beside_the_file(tmp_path, textured, name):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.obj").symlink_to(tmp_path / "real" / name)
    save(textured, tmp_path / "link.obj")
    assert {path.name for path in (tmp_path / "real").iterdir()} == {name, "toy.mtl", "toy_texture.png"}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["link.obj"]
    (tmp_path / "real" / name).rename(tmp_path / "real" / "toy.obj")
    (part,) = load_parts(tmp_path / "real" / "toy.obj")
    assert np.array_equal(part.base_color, textured.base_color)


@pytest.mark.parametrize("theirs", ["toy_texture.png", "toy.mtl"])
def test_files_of_others_beside_an_obj_stay(tmp_path, textured, theirs):
    (tmp_path / "toy.png").write_bytes(b"the picture that it was made from")
    save(textured, tmp_path / "toy.obj")
    save(textured, tmp_path / "toy.obj")  # what is our own is replaced
    assert (tmp_path / "toy.png").read_bytes() == b"the picture that it was made from"
    (tmp_path / theirs).write_bytes(b"theirs")
    with pytest.raises(BadInput, match=f"{theirs} was not written by this program"):
        save(textured, tmp_path / "toy.obj")
    assert (tmp_path / theirs).read_bytes() == b"theirs"
    with pytest.raises(BadInput, match=r"exists already"):
        save(textured, tmp_path / "toy.obj", overwrite=False)


def test_an_stl_is_in_millimetres_and_stands_upright(tmp_path):
    tall = trimesh.creation.box((0.1, 0.3, 0.2))  # metres, +Y up
    save(Mesh(tall.vertices + np.array([0.01, 0.02, 0.03]), tall.faces), tmp_path / "a.STL")
    read = trimesh.load_mesh(tmp_path / "a.STL", file_type="stl")
    assert read.extents == pytest.approx([100, 200, 300], rel=1e-6)
    assert read.bounds.mean(0) == pytest.approx([10, -30, 20], rel=1e-5)  # what faced +Z faces -Y
    assert read.volume == pytest.approx(0.1 * 0.3 * 0.2 * 1e9, rel=1e-5)  # and is not inside out


@pytest.mark.parametrize("suffix", [".ply", ".stl"])
def test_formats_without_uvs_get_the_closed_surface(tmp_path, textured, suffix):
    save(textured, tmp_path / f"asset{suffix}")
    mesh = trimesh.load_mesh(tmp_path / f"asset{suffix}")
    if suffix == ".stl":
        mesh.apply_scale(1e-3)
    assert mesh.is_watertight and mesh.volume == pytest.approx(trimesh.creation.icosphere(2, 0.4).volume, rel=1e-5)


def test_degenerate_triangles_are_left_out(tmp_path, colored, validate_glb):
    vertices = np.concatenate([colored.vertices, colored.vertices[:1]])
    last = len(colored.vertices)
    faces = np.concatenate([colored.faces, [[0, 0, 1], [0, last, 5]]])
    save(Mesh(vertices, faces), tmp_path / "asset.glb")
    (part,) = load_parts(tmp_path / "asset.glb")
    assert len(part.faces) == len(colored.faces)
    validate_glb(tmp_path / "asset.glb", totalTriangleCount=len(colored.faces))


@pytest.mark.parametrize("suffix", EXPORTERS)
def test_same_bytes_twice_and_any_case_of_suffix(tmp_path, textured, suffix):
    if suffix == ".usdz":
        pytest.importorskip("pxr", reason="the extra usd")
    save(textured, tmp_path / f"one{suffix}", extras={"seed": 1})
    save(textured, tmp_path / f"TWO{suffix.upper()}", extras={"seed": 1})
    one, two = (tmp_path / f"one{suffix}").read_bytes(), (tmp_path / f"TWO{suffix.upper()}").read_bytes()
    assert one == two.replace(b"TWO", b"one")


def test_to_trimesh_shows_the_same_asset(textured, colored):
    mesh = to_trimesh(textured)
    assert np.array_equal(mesh.faces, textured.mesh.faces) and mesh.visual.material.metallicFactor == 0.0
    assert np.array_equal(np.asarray(mesh.visual.material.baseColorTexture), textured.base_color)
    assert np.array_equal(to_trimesh(colored).visual.vertex_colors[:, :3], colored.colors)


def test_a_file_is_replaced_and_a_link_followed(tmp_path, colored):
    path, link = tmp_path / "asset.glb", tmp_path / "link.glb"
    path.write_bytes(b"old")
    link.symlink_to(path)
    save(colored, link)
    assert link.is_symlink() and path.read_bytes()[:4] == b"glTF"
    with pytest.raises(BadInput, match="exists already"):
        save(colored, path, overwrite=False)


def test_permissions_follow_the_umask(tmp_path, colored):
    before = os.umask(0o027)
    try:
        save(colored, tmp_path / "asset.glb")
    finally:
        os.umask(before)
    assert (tmp_path / "asset.glb").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("asset.max", "unknown suffix '.max'; choose one of .glb, .gltf, .obj, .ply, .stl, .3mf, .usdz"),
        ("asset", "unknown suffix ''"),
        ("folder.glb", "is a folder"),
        ("missing/asset.glb", "does not exist"),
        ("file.txt/asset.glb", "is a file"),
        ("a" * 300 + ".glb", "name too long"),
        ("nul\0.glb", "null"),
        ("\ud800.glb", "cannot write"),
    ],
)
def test_bad_targets_are_refused_in_one_line(tmp_path, colored, name, message):
    (tmp_path / "folder.glb").mkdir()
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(BadInput) as caught:
        save(colored, tmp_path / name)
    assert message in str(caught.value).replace("File name", "name") and "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.txt", "folder.glb"]


def test_a_folder_that_refuses_files(colored):
    with pytest.raises(BadInput, match="cannot write /proc/asset"):  # no file can be made there, even by root
        save(colored, "/proc/asset.glb")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path, colored):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(BadInput, match="no permission"):
            check_target(tmp_path / "asset.glb")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("suffix", EXPORTERS)
def test_a_write_that_stops_half_way_leaves_the_old_file(tmp_path, textured, suffix):
    if suffix == ".usdz":
        pytest.importorskip("pxr", reason="the extra usd")
    path = tmp_path / f"asset{suffix}"
    path.write_bytes(b"old")
    with small_files(1000), pytest.raises(BadInput, match="cannot write"):
        save(textured, path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name] and path.read_bytes() == b"old"


def test_a_full_disk_and_an_interrupt_leave_nothing(tmp_path, colored, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="the disk is full"):
        save(colored, tmp_path / "asset.glb")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(colored, tmp_path / "asset.glb")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("extras", [{"a": object()}, {"a": float("nan")}, {"a": {1, 2}}])
def test_extras_must_be_json(tmp_path, colored, extras):
    with pytest.raises(BadInput, match="extras"):
        save(colored, tmp_path / "asset.glb", extras=extras)
    assert not list(tmp_path.iterdir())


def test_an_empty_mesh_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no faces"):
        save(Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)), tmp_path / "asset.glb")


def test_the_self_check_finds_damage(tmp_path, colored):
    save(colored, tmp_path / "asset.glb")
    good = (tmp_path / "asset.glb").read_bytes()
    text_length = struct.unpack_from("<I", good, 12)[0]
    tree = json.loads(good[20 : 20 + text_length])
    assert tree == check_glb(good)
    for bad in (good[:-4], good[:40], b"", b"glTX" + good[4:], good[:20] + b"x" + good[21:]):
        with pytest.raises(StageFailed, match="broken"):
            check_glb(bad)


def test_png_has_no_profile(tmp_path, textured):
    save(textured, tmp_path / "asset.obj")
    with Image.open(tmp_path / "asset_texture.png") as picture:
        assert picture.mode == "RGB" and not {"icc_profile", "gamma"} & set(picture.info)


@pytest.mark.parametrize("texture_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_textures_of_every_format_are_valid_and_look_the_same(tmp_path, textured, validate_glb, texture_format, suffix):
    """A smooth texture, as baked ones are: JPEG and WebP keep it to more than 40 dB."""
    waves = np.sin(np.arange(64)[:, None, None] / 30 + np.arange(64)[None, :, None] / 20 + np.arange(3)) * 0.4 + 0.5
    smooth = TexturedMesh(textured.mesh, textured.uvs, to_uint8(waves), textured.normals)
    path = tmp_path / f"a{suffix}"
    options = FileOptions(texture_format=texture_format, name="my toy")
    save(smooth, path, options=options, extras={"licence": "CC-BY-NC 4.0", "seed": 1})
    tree = document(path) if suffix == ".glb" else json.loads(path.read_text())
    validate_glb(path, totalTriangleCount=len(smooth.mesh.faces), hasTextures=True)
    assert tree.get("extensionsRequired") == (["EXT_texture_webp"] if texture_format == "webp" else None)
    assert {tree[kind][0]["name"] for kind in ("nodes", "meshes", "materials", "images")} == {"my toy"}
    assert tree["nodes"][0]["extras"] == {"licence": "CC-BY-NC 4.0"} and tree["asset"]["extras"]["seed"] == 1
    (part,) = load_parts(path)
    error = np.mean((part.base_color.astype(float) - smooth.base_color) ** 2)
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > (99 if texture_format == "png" else 40)


@pytest.mark.parametrize("suffix", [".glb", ".usdz"])
@pytest.mark.parametrize(
    ("material", "metallic", "roughness"), [("matte", 0, 1), ("plastic", 0, 0.45), ("metal", 1, 0.35)]
)
def test_materials(tmp_path, textured, suffix, material, metallic, roughness):
    path = tmp_path / f"a{suffix}"
    if suffix == ".glb":
        save(textured, path, options=FileOptions(material=material))
        found = check_glb(path.read_bytes())["materials"][0]["pbrMetallicRoughness"]
        assert (found["metallicFactor"], found["roughnessFactor"]) == (metallic, roughness)
        return
    Usd = pytest.importorskip("pxr.Usd", reason="the extra usd")
    save(textured, path, options=FileOptions(material=material))
    stage = Usd.Stage.Open(str(path))
    (surface,) = (each for each in stage.Traverse() if each.GetName() == "surface")
    found = [surface.GetAttribute(f"inputs:{name}").Get() for name in ("metallic", "roughness")]
    assert found == pytest.approx([metallic, roughness])


def test_what_does_not_shine_has_no_material(tmp_path, textured):
    with pytest.raises(BadInput, match=r"--material metal does not go with \.obj"):
        save(textured, tmp_path / "a.obj", options=FileOptions(material="metal"))
    with pytest.raises(BadInput, match="material is 'gold'"):
        FileOptions(material="gold")
