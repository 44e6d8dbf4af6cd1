"""From a finished .glb to other files of it: levels of detail, hulls, smaller textures, all formats."""

import json
import os
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import trimesh
from read_3mf import read_3mf
from read_usdz import read_usdz
from shapes import icosphere, painted
from toy import toy_mesh

from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.images import to_uint8
from zero123pp.recon.export import EXPORTERS, FileOptions, export, save
from zero123pp.recon.export.collision import HULL_CORNERS, MOST_PARTS, hull
from zero123pp.recon.export.fewer_faces import geometry_of, with_faces
from zero123pp.recon.export.frame import FRAMES
from zero123pp.recon.export.glb import check_glb
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import is_sound, smooth_normals, welded
from zero123pp.recon.render import render
from zero123pp.recon.texturing import with_tangents
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

OBJECTS = ("ball", "egg", "disc", "bear", "wave")


@cache
def shape(kind) -> Mesh:
    if kind == "bear":
        return toy_mesh(40)
    ball = icosphere(4)
    x, y, _ = ball.vertices.T
    points = {
        "ball": ball.vertices,
        "egg": ball.vertices * [0.6, 1, 0.5],
        "disc": ball.vertices * [1, 0.1, 0.8],
        "wave": ball.vertices * (1 + 0.2 * np.sin(9 * x) * np.cos(7 * y))[:, None],
    }[kind]
    return Mesh(points, ball.faces)


@cache
def asset(kind) -> TexturedMesh:
    """Cut in two charts, front and back, with a texture painted by place."""
    mesh = shape(kind)
    side = mesh.vertices[mesh.faces].mean(1)[:, 2] > 0
    front, back = mesh.faces[side], mesh.faces[~side]
    used = [np.unique(front), np.unique(back)]
    count = len(used[0])
    faces = np.concatenate([np.searchsorted(used[0], front), np.searchsorted(used[1], back) + count])
    vertices = np.concatenate([mesh.vertices[each] for each in used])
    flat = (vertices[:, :2] - vertices.min(0)[:2]) / np.ptp(vertices, axis=0)[:2]
    uvs = flat * [0.46, 0.92] + [0.02, 0.04] + np.where(np.arange(len(vertices))[:, None] < count, 0, [0.5, 0])
    v, u = np.meshgrid(1 - (np.arange(256) + 0.5) / 256, (np.arange(256) + 0.5) / 256, indexing="ij")
    texture = painted(np.stack([u * 2 - (u > 0.5), v, u > 0.5], -1).reshape(-1, 3)).reshape(256, 256, 3)
    return TexturedMesh(Mesh(vertices, faces.astype(np.int32)), uvs, to_uint8(texture))


@pytest.fixture(params=OBJECTS)
def glb(request, tmp_path):
    save(asset(request.param), tmp_path / "in.glb", extras={"licence": "CC0", "seed": 3})
    return tmp_path / "in.glb"


def drawn(parts, azimuth):
    return render(parts, orbit_camera(azimuth, 15, 2.6, 30, 96))


def read_back(path):
    """What a reader of the format has in the world frame, drawable."""
    if path.suffix == ".3mf":
        vertices, faces, colors = read_3mf(path)
        part = Mesh(vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3), colors.reshape(-1, 3))
    elif path.suffix == ".usdz":
        part = read_usdz(path)
    else:
        (part,) = load_parts(path)
    mesh = part.mesh if isinstance(part, TexturedMesh) else part
    vertices = mesh.vertices / (1000 if FRAMES[path.suffix].units == "mm" else 1)
    if FRAMES[path.suffix].axes == "z-up":
        x, y, z = vertices.T
        vertices = np.stack([x, z, -y], 1)
    mesh = mesh.with_vertices(vertices)
    return TexturedMesh(mesh, part.uvs, part.base_color) if isinstance(part, TexturedMesh) else mesh


@pytest.mark.parametrize("suffix", EXPORTERS)
def test_the_object_looks_the_same_out_of_every_format(glb, suffix):
    """Rendered from four sides; an STL has no colours, so its depth is compared."""
    if suffix == ".usdz":
        pytest.importorskip("pxr", reason="the extra usd")
    out = glb.with_name(f"out{suffix}")
    (written,) = export(glb, out)
    assert written.path == out and written.watertight
    (given,), found = load_parts(glb), read_back(out)
    for azimuth in (0, 90, 180, 270):
        want, got = drawn(given, azimuth), drawn(found, azimuth)
        assert np.abs(want.alpha - got.alpha).mean() < 0.002
        assert np.abs(want.depth - got.depth)[(want.depth > 0) & (got.depth > 0)].max() < 1e-3
        seen = (want.alpha == 1) & (got.alpha == 1)
        error = np.abs(want.rgb - got.rgb)[seen].mean()
        if suffix != ".stl":
            assert error < (0.03 if suffix in (".ply", ".3mf") else 0.01)


def test_levels_of_detail_share_one_texture_and_stay_closed(glb, validate_glb):
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    out = glb.with_name("toy.glb")
    written = export(glb, out, faces=2000, lods=3)
    assert [each.path.name for each in written] == ["toy.glb", "toy_lod1.glb", "toy_lod2.glb"]
    (given,) = load_parts(glb)
    textures = []
    for each, wanted in zip(written, (2000, 1000, 500)):
        assert wanted * 0.99 <= each.faces <= wanted and each.watertight
        validate_glb(each.path, totalTriangleCount=each.faces)
        (part,) = load_parts(each.path)
        assert is_sound(welded(Mesh(part.mesh.vertices, part.mesh.faces)))
        textures.append(part.base_color.tobytes())
        want, got = drawn(given, 30), drawn(part, 30)
        assert np.abs(want.alpha - got.alpha).mean() < 0.01
        seen = (want.alpha == 1) & (got.alpha == 1)
        assert np.abs(want.rgb - got.rgb)[seen].mean() < 0.03
    assert len(set(textures)) == 1
    assert check_glb(out.read_bytes())["asset"]["extras"] == {"licence": "CC0", "seed": 3}


@pytest.mark.parametrize("texture_format", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_few_triangles_with_a_normal_map_are_shaded_as_the_source_is(tmp_path, validate_glb, suffix, texture_format):
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    save(asset("wave"), tmp_path / "in.glb")
    bare, out = tmp_path / "bare.glb", tmp_path / f"out{suffix}"
    export(tmp_path / "in.glb", bare, faces=400)
    options = FileOptions(texture_format=texture_format, size=0.1)
    written = export(tmp_path / "in.glb", out, faces=400, lods=2, normal_map=True, options=options)
    validate_glb(out, totalTriangleCount=written[0].faces)
    given = smooth(asset("wave"))
    found = [with_tangents(load_parts(each.path, normal_maps=True)[0]) for each in written]
    assert [part.normal_map.shape for part in found] == [(256, 256, 3)] * 2
    size = np.ptp(geometry_of(given).vertices, axis=0).max()
    errors = [
        shading_error(replace(part, mesh=part.mesh.with_vertices(part.mesh.vertices * (size / 0.1))), given)
        for part in found
    ]
    without = shading_error(smooth(load_parts(bare)[0]), given)
    assert errors[0] < 0.5 * without and errors[1] < 0.8 * without, (without, errors)


def test_a_normal_map_stays_with_a_file_that_has_one(tmp_path):
    """Also where fewer triangles are asked for without asking for a map."""
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    save(asset("wave"), tmp_path / "in.glb")
    export(tmp_path / "in.glb", tmp_path / "map.glb", faces=2000, normal_map=True)
    for more in ({}, {"faces": 500}):
        export(tmp_path / "map.glb", tmp_path / "again.glb", texture_size=128, **more)
        (part,) = load_parts(tmp_path / "again.glb", normal_maps=True)
        assert part.normal_map.shape == (128, 128, 3) and (part.normal_map != part.normal_map[0, 0]).any()
        attributes = check_glb((tmp_path / "again.glb").read_bytes())["meshes"][0]["primitives"][0]["attributes"]
        assert "TANGENT" in attributes
    export(tmp_path / "in.glb", tmp_path / "plain.glb", faces=500)
    assert "TANGENT" not in check_glb((tmp_path / "plain.glb").read_bytes())["meshes"][0]["primitives"][0]["attributes"]


def smooth(part):
    return replace(part, normals=smooth_normals(part.mesh))


def shading_error(part, given):
    """Mean angle of the shaded normals, degrees, from four sides."""
    angles = []
    for azimuth in (0, 90, 180, 270):
        want, got = drawn(given, azimuth), drawn(part, azimuth)
        both = (want.depth > 0) & (got.depth > 0)
        angles.append(np.degrees(np.arccos(np.clip((want.normal[both] * got.normal[both]).sum(-1), -1, 1))))
    return np.concatenate(angles).mean()


def test_all_levels_in_one_file_share_its_one_texture(glb, validate_glb):
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    out = glb.with_name("toy.glb")
    written = export(glb, out, faces=2000, lods=3, msft_lod=True)
    assert [each.path.name for each in written][2:] == ["toy_lod2.glb", "toy_lods.glb"]
    document = check_glb(written[3].path.read_bytes())
    assert len(document["images"]) == len(document["materials"]) == 1 and document["scenes"] == [{"nodes": [0]}]
    (first, *others) = document["nodes"]
    assert first["extensions"]["MSFT_lod"]["ids"] == [1, 2] and document["extensionsUsed"] == ["MSFT_lod"]
    coverage = first["extras"]["MSFT_screencoverage"]
    assert len(coverage) == 3 and coverage == sorted(coverage, reverse=True) and first["extras"]["licence"] == "CC0"
    counts = [
        document["accessors"][document["meshes"][node["mesh"]]["primitives"][0]["indices"]]["count"] // 3
        for node in (first, *others)
    ]
    assert counts == [each.faces for each in written[:3]] and written[3].faces == sum(counts)
    (part,) = load_parts(written[3].path)  # a reader that does not know the extension has the finest
    assert len(part.mesh.faces) == counts[0]
    assert written[3].path.stat().st_size < sum(each.path.stat().st_size for each in written[:3])


def test_levels_in_one_file_have_their_own_normal_maps(tmp_path):
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    save(asset("wave"), tmp_path / "in.glb")
    export(tmp_path / "in.glb", tmp_path / "toy.glb", faces=2000, lods=2, msft_lod=True, normal_map=True)
    document = check_glb((tmp_path / "toy_lods.glb").read_bytes())
    assert [each["name"] for each in document["images"]] == ["object", "object_normal", "object_lod1_normal"]
    assert [each["normalTexture"]["index"] for each in document["materials"]] == [1, 2]
    assert [mesh["primitives"][0]["material"] for mesh in document["meshes"]] == [0, 1]


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_convex_parts_follow_the_object(tmp_path, suffix, validate_glb):
    pytest.importorskip("coacd", reason="the extra convex")
    pytest.importorskip("meshoptimizer", reason="the extra lods")
    save(asset("bear"), tmp_path / "in.glb")
    written = export(tmp_path / "in.glb", tmp_path / f"toy{suffix}", collision="convex")[-1]
    assert written.path.name == f"toy_collision{suffix}" and written.watertight
    whole = trimesh.load(written.path, force="mesh", process=False)
    whole.merge_vertices(merge_norm=True, merge_tex=True)
    parts = whole.split()
    assert 2 <= len(parts) <= MOST_PARTS and all(part.is_convex and part.volume > 0 for part in parts)
    assert all(len(part.vertices) <= HULL_CORNERS for part in parts)
    (given,) = load_parts(tmp_path / "in.glb")
    solid = welded(Mesh(given.mesh.vertices, given.mesh.faces))
    volume = trimesh.Trimesh(solid.vertices, solid.faces).volume
    follows = sum(part.volume for part in parts)
    assert volume < 1.1 * follows and follows < 0.8 * trimesh.convex.convex_hull(solid.vertices).volume
    if suffix == ".glb":
        validate_glb(written.path)
        assert len(check_glb(written.path.read_bytes())["nodes"]) == len(parts)


def test_a_hull_is_convex_and_has_the_object_inside(glb):
    export(glb, glb.with_name("toy.glb"), collision="hull")
    solid = trimesh.load(glb.with_name("toy_collision.glb"), force="mesh")
    solid.merge_vertices(merge_norm=True)
    assert solid.is_watertight and solid.is_convex and solid.volume > 0 and len(solid.vertices) <= HULL_CORNERS
    (given,) = load_parts(glb)
    out = (given.mesh.vertices[:, None] - solid.triangles_center[None]) * solid.face_normals[None]
    assert out.sum(-1).max() < 1e-5
    assert solid.volume < 1.1 * trimesh.convex.convex_hull(given.mesh.vertices).volume


def test_origin_and_size_are_those_of_the_whole(glb):
    export(glb, glb.with_name("toy.glb"), collision="hull", options=FileOptions(origin="base", size=0.2))
    toy, solid = (trimesh.load(glb.with_name(name), force="mesh") for name in ("toy.glb", "toy_collision.glb"))
    assert toy.extents.max() == pytest.approx(0.2, rel=1e-5) and toy.bounds[0][1] == pytest.approx(0, abs=1e-6)
    assert np.abs(toy.bounds - solid.bounds).max() < 0.01


def test_a_smaller_texture(glb):
    export(glb, glb.with_name("toy.glb"), texture_size=64, options=FileOptions(texture_format="png"))
    (part,) = load_parts(glb.with_name("toy.glb"))
    assert part.base_color.shape == (64, 64, 3)
    (given,) = load_parts(glb)
    means = given.base_color.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(part.base_color - means).max() <= 1
    export(glb, glb.with_name("toy.glb"), texture_size=4096, options=FileOptions(texture_format="png"))
    assert load_parts(glb.with_name("toy.glb"))[0].base_color.shape == (256, 256, 3)  # never enlarged


def test_a_hull_of_something_flat_is_refused():
    with pytest.raises(BadInput, match="flat"):
        hull(Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 1, 2], [1, 3, 2]]))


def test_without_its_library_fewer_triangles_are_refused_by_name(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "meshoptimizer", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[lods\]"):
        with_faces(asset("ball"), 100)


@pytest.mark.parametrize(
    ("out", "more", "words"),
    [
        ("in.glb", {}, "would write over"),
        ("toy.glb", {"lods": 0}, "0 levels of detail"),
        ("toy.glb", {"faces": 3}, "at least 4"),
        ("toy.glb", {"texture_size": 0}, "expected 1 to 8192"),
        ("toy.glb", {"collision": "boxes"}, "expected hull or convex"),
        ("toy.fbx", {}, "no maintained library for Python writes FBX, .*choose .glb"),
        ("toy.obj", {"normal_map": True}, "--normal-map does not go with .obj"),
        ("toy.glb", {"msft_lod": True}, "--msft-lod needs a .glb and --lods 2 or more"),
        ("toy.obj", {"msft_lod": True, "lods": 2}, "--msft-lod needs a .glb"),
        ("toy.glb", {"normal_map": True}, "--normal-map has nothing to show"),
        ("theirs.glb", {"collision": "hull"}, "theirs_collision.glb was not written by this program"),
        ("toy.glb", {"options": FileOptions(axes="z-up")}, "--axes z-up does not go with .glb"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(tmp_path, out, more, words):
    save(asset("ball"), tmp_path / "in.glb")
    (tmp_path / "theirs_collision.glb").write_bytes(b"theirs")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BadInput, match=words):
        export(tmp_path / "in.glb", tmp_path / out, **more)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"glTF", b"glTF" + b"\xff" * 60, json.dumps({"asset": 3}).encode()])
def test_broken_sources_are_refused(tmp_path, content):
    (tmp_path / "in.glb").write_bytes(content)
    for source in ("in.glb", "missing.glb", "toy.ply"):
        with pytest.raises(BadInput):
            export(tmp_path / source, tmp_path / "out.glb")
    assert os.listdir(tmp_path) == ["in.glb"]


def test_for_print_is_thick_closed_and_stands_in_millimetres(tmp_path):
    """A disc 8 mm thick at its middle and sharp at its rim, at 8 cm."""
    save(asset("disc"), tmp_path / "in.glb")
    said = []
    options = FileOptions(size=0.08, wall=0.0015, origin="base")
    (written,) = export(tmp_path / "in.glb", tmp_path / "toy.3mf", options=options, tell=said.append)
    assert written.watertight and "thickened, thinnest wall" in said[0] and "stands on" in said[0]
    vertices, _, colors = read_3mf(tmp_path / "toy.3mf")
    assert np.ptp(vertices[:, 2]) == pytest.approx(7.6, abs=0.1) and 79.9 < np.ptp(vertices[:, 0]) < 82
    assert vertices[:, 2].min() == pytest.approx(0, abs=1e-4) and len(np.unique(colors.reshape(-1, 3), axis=0)) > 20
    export(tmp_path / "in.glb", tmp_path / "toy.stl", options=options)
    assert trimesh.load(tmp_path / "toy.stl").is_watertight


@pytest.mark.parametrize(
    ("out", "options", "more", "words"),
    [
        ("toy.glb", {}, {}, "--for-print does not go with .glb; choose .3mf or .stl"),
        ("toy.obj", {"quads": True}, {}, "--for-print does not go with --quads"),
        ("toy.3mf", {"size": 1.0}, {}, "walls of 1.2 mm are asked for; expected 5 to 500 mm for an object of 1000 mm"),
        ("toy.3mf", {}, {"collision": "hull"}, "leave out --lods, --msft-lod, --collision"),
    ],
)
def test_what_cannot_be_printed_is_refused(tmp_path, out, options, more, words):
    save(asset("ball"), tmp_path / "in.glb")
    with pytest.raises(BadInput, match=words):
        export(tmp_path / "in.glb", tmp_path / out, options=FileOptions(wall=0.0012, **{"size": 0.1} | options), **more)
    assert [path.name for path in tmp_path.iterdir()] == ["in.glb"]


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_occlusion_goes_into_the_red_of_a_picture_that_the_material_names(tmp_path, validate_glb, suffix):
    path = tmp_path / f"toy{suffix}"
    save(asset("bear"), path, options=FileOptions(occlusion=True, texture_format="png", material="metal"))
    validate_glb(path)
    (material,) = trimesh.load(path, process=False).geometry.values()
    material = material.visual.material
    orm = np.asarray(material.occlusionTexture.convert("RGB"))
    assert np.array_equal(orm, np.asarray(material.metallicRoughnessTexture.convert("RGB"))), "one picture for both"
    assert orm[..., 0].min() < 200 and (orm[..., 1:] == 255).all() and orm.shape == (256, 256, 3)
    assert (material.metallicFactor, material.roughnessFactor) == (1.0, 0.35)


def test_occlusion_is_refused_where_it_has_no_place(tmp_path):
    with pytest.raises(BadInput, match="--occlusion does not go with"):
        save(asset("ball"), tmp_path / "toy.obj", options=FileOptions(occlusion=True))


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".3mf", ".obj", ".glb"])
def test_what_it_wrote_beside_it_may_write_again(tmp_path, suffix):
    save(asset("ball"), tmp_path / "in.glb")
    for _ in range(2):
        export(tmp_path / "in.glb", tmp_path / f"toy{suffix}", collision="hull")
    assert (tmp_path / f"toy_collision{suffix}").is_file()


@pytest.mark.parametrize("about", [{}, {"asset": 5}, {"asset": {"version": "2.0", "extras": []}}])
def test_extras_that_are_none_are_none(tmp_path, about):
    import json

    from zero123pp.recon.export.again import _extras

    (tmp_path / "a.gltf").write_text(json.dumps(about))
    assert _extras(tmp_path / "a.gltf") == {}
