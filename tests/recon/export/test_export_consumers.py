"""The object as other programs' readers have it, drawn beside the object that was written: every format they take."""

import json
import os
import shutil
import subprocess
import time

import numpy as np
import pytest
import trimesh
from toy import toy_mesh

from zero123pp.cameras import orbit_camera
from zero123pp.images import to_uint8
from zero123pp.recon.export import FileOptions, save
from zero123pp.recon.export.frame import FRAMES
from zero123pp.recon.render import render
from zero123pp.recon.texturing import TextureConfig, texture
from zero123pp.rigs import get_rig
from zero123pp.types import Mesh, Part, TexturedMesh


@pytest.fixture(scope="module")
def asset() -> TexturedMesh:
    """A bear, coarse enough that colours at vertices are its colours."""
    bear = toy_mesh(64)
    return texture(bear, [render(bear, camera) for camera in get_rig("v1.2").cameras(160)], TextureConfig(size=512))[0]


def by_trimesh(path) -> Part:
    found = trimesh.load(path, force="mesh", process=False)
    colors = None
    if path.suffix in (".glb", ".gltf", ".obj"):
        image = found.visual.material.baseColorTexture if path.suffix != ".obj" else found.visual.material.image
        texels = np.asarray(image.convert("RGB"))
        return TexturedMesh(Mesh(found.vertices, found.faces.astype(np.int32)), found.visual.uv, texels)
    if path.suffix == ".ply":
        colors = found.visual.vertex_colors[:, :3]
    return Mesh(found.vertices, found.faces.astype(np.int32), colors)


def by_meshlab(path) -> Mesh:
    import pymeshlab

    meshes = pymeshlab.MeshSet()
    meshes.load_new_mesh(str(path))
    found = meshes.current_mesh()
    if path.suffix == ".obj":  # the filter wants the texture in a file: it has none for a .glb
        meshes.compute_color_from_texture_per_vertex()
    colors = None
    if found.has_vertex_color():
        colors = to_uint8(found.vertex_color_matrix()[:, :3])
    return Mesh(found.vertex_matrix(), found.face_matrix(), colors)


def by_lib3mf(path) -> Mesh:
    import lib3mf

    model = lib3mf.get_wrapper().CreateModel()
    model.QueryReader("3mf").ReadFromFile(str(path))
    (body,) = objects(model.GetMeshObjects(), "GetCurrentMeshObject")
    assert body.IsManifoldAndOriented()
    points = np.array([list(each.Coordinates) for each in body.GetVertices()])
    faces = np.array([list(each.Indices) for each in body.GetTriangleIndices()])
    (group,) = objects(model.GetColorGroups(), "GetCurrentColorGroup")
    palette = {each: group.GetColor(each) for each in group.GetAllPropertyIDs()}
    palette = {each: (color.Red, color.Green, color.Blue) for each, color in palette.items()}
    colors = np.zeros((len(points), 3), np.uint8)
    for face, properties in zip(faces, body.GetAllTriangleProperties()):
        colors[face] = [palette[each] for each in properties.PropertyIDs]
    return Mesh(points, faces.astype(np.int32), colors)


def objects(iterator, current):
    while iterator.MoveNext():
        yield getattr(iterator, current)()


def by_open3d(path) -> Part:
    import open3d

    if path.suffix in (".ply", ".stl"):
        found = open3d.io.read_triangle_mesh(str(path))
        colors = to_uint8(np.asarray(found.vertex_colors)) if found.has_vertex_colors() else None
        return Mesh(np.asarray(found.vertices), np.asarray(found.triangles, np.int32), colors)
    model = open3d.io.read_triangle_model(str(path))
    (found,) = [each.mesh for each in model.meshes]
    corners = np.asarray(found.vertices)[np.asarray(found.triangles)].reshape(-1, 3)
    texels = np.asarray(model.materials[model.meshes[0].material_idx].albedo_img)[..., :3]
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    return TexturedMesh(Mesh(corners, faces), np.asarray(found.triangle_uvs), texels)


def by_usd(path) -> Part:
    from read_usdz import read_usdz

    return read_usdz(path)


READERS = {
    "trimesh": (by_trimesh, "trimesh", (".glb", ".gltf", ".obj", ".ply", ".stl")),
    "meshlab": (by_meshlab, "pymeshlab", (".glb", ".obj", ".ply", ".stl")),
    "open3d": (by_open3d, "open3d", (".glb", ".gltf", ".obj", ".ply", ".stl")),
    "lib3mf": (by_lib3mf, "lib3mf", (".3mf",)),
    "usd": (by_usd, "pxr", (".usdz",)),
}


WITHOUT_COLORS = {("trimesh", ".stl"), ("meshlab", ".stl"), ("open3d", ".stl"), ("meshlab", ".glb")}


@pytest.mark.parametrize(("reader", "suffix"), [(name, suffix) for name, each in READERS.items() for suffix in each[2]])
def test_other_programs_see_the_same_object(asset, tmp_path, reader, suffix):
    read, library, _ = READERS[reader]
    pytest.importorskip(library, reason=f"{library} is not installed")
    path = tmp_path / f"toy{suffix}"
    save(asset, path)
    part = read(path)
    mesh = part.mesh if isinstance(part, TexturedMesh) else part
    vertices = mesh.vertices / (1000 if FRAMES[suffix].units == "mm" else 1)
    if FRAMES[suffix].axes == "z-up":
        vertices = np.stack([vertices[:, 0], vertices[:, 2], -vertices[:, 1]], 1)
    mesh = mesh.with_vertices(vertices)
    assert isinstance(part, TexturedMesh) or mesh.colors is not None or (reader, suffix) in WITHOUT_COLORS
    found = TexturedMesh(mesh, part.uvs, part.base_color) if isinstance(part, TexturedMesh) else mesh
    for azimuth in (0, 90, 180, 270):
        camera = orbit_camera(azimuth, 15, 1.9, 33, 160)
        want, got = render(asset, camera), render(found, camera)
        assert np.abs(want.alpha - got.alpha).mean() < 0.002
        seen = (want.alpha == 1) & (got.alpha == 1)
        if isinstance(found, TexturedMesh) or found.colors is not None:
            assert np.abs(want.rgb - got.rgb)[seen].mean() < 0.03


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
GODOT = shutil.which("godot3-server")

LOOK = """extends SceneTree
func _init():
	var todo = [load("res://toy.glb").instance()]
	while todo:
		var node = todo.pop_back()
		todo += node.get_children()
		if node is MeshInstance:
			var places = node.mesh.get_faces()
			var middle = Vector3()
			for place in places:
				middle += place
			var box = node.mesh.get_aabb()
			var material = node.mesh.surface_get_material(0)
			var texels = material.albedo_texture.get_size()
			var numbers = [middle / places.size(), box.position, box.size, texels]
			print("FOUND ", to_json([node.name, places.size() / 3, numbers, material.metallic, material.roughness]))
	quit()
"""


@pytest.mark.slow
@pytest.mark.skipif(GODOT is None, reason="Debian's godot3-server is not installed")
def test_godot_imports_it_upright_at_its_size(asset, tmp_path):
    """Godot 3.2: what its importer made of the file, as a script in it says; it looks the way that ours does."""
    save(asset, tmp_path / "toy.glb", options=FileOptions(name="toy", material="plastic"))
    (tmp_path / "project.godot").write_text("config_version=4\n")
    (tmp_path / "look.gd").write_text(LOOK)
    home = os.environ | {"HOME": str(tmp_path)}
    with subprocess.Popen([GODOT, "--path", tmp_path, "--editor"], env=home, **QUIET) as editor:  # it never quits
        end = time.monotonic() + 90
        while not list(tmp_path.glob(".import/toy.glb-*.md5")) and time.monotonic() < end:
            time.sleep(0.1)
        editor.kill()
    command = [GODOT, "--path", tmp_path, "-s", "look.gd"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=home)
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("FOUND ")]
    name, faces, vectors, metallic, roughness = json.loads(line.removeprefix("FOUND "))
    numbers = [[float(x) for x in each.strip("()").split(",")] for each in vectors]
    mesh = asset.mesh
    assert name == "toy" and faces == len(mesh.faces)
    assert numbers[0] == pytest.approx(mesh.vertices[mesh.faces].mean((0, 1)), abs=1e-3)
    assert numbers[1] == pytest.approx(mesh.vertices.min(0), abs=1e-4)
    assert numbers[2] == pytest.approx(np.ptp(mesh.vertices, axis=0), abs=1e-4)
    assert numbers[3] == [512, 512] and (metallic, roughness) == (0, pytest.approx(0.45))
