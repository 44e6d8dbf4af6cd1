"""FBX files by open3d: places, colours and textures as the file says; clear refusals."""

import sys

import numpy as np
import pytest
from fbx_files import CORNERS, FACES, SHIFT, UVS, write_fbx
from PIL import Image

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.load import load_parts
from zero123pp.types import Mesh, TexturedMesh


@pytest.fixture
def open3d():
    return pytest.importorskip("open3d", reason="open3d cannot be imported", exc_type=ImportError)


def test_the_nodes_transform_and_the_materials_colour_are_kept(open3d, tmp_path, capfd):
    (part,) = load_parts(write_fbx(tmp_path / "a.fbx"))
    assert isinstance(part, Mesh)
    assert _sorted(part.vertices[part.faces]) == _sorted((CORNERS + SHIFT)[FACES])
    assert (part.colors == (255, 0, 0)).all()
    assert capfd.readouterr() == ("", "")


def test_a_texture_lies_where_its_file_says(open3d, tmp_path):
    Image.fromarray(np.array([[[9, 0, 0], [0, 9, 0]], [[0, 0, 9], [9, 9, 0]]], np.uint8)).save(tmp_path / "t.png")
    (part,) = load_parts(write_fbx(tmp_path / "a.fbx", "t.png"))
    assert isinstance(part, TexturedMesh)
    assert part.base_color.tolist() == [[[9, 0, 0], [0, 9, 0]], [[0, 0, 9], [9, 9, 0]]]  # row 0 is the top
    for place, uv in zip(part.mesh.vertices, part.uvs):
        assert np.allclose(UVS[(CORNERS + SHIFT == place).all(1)], uv)


def test_what_is_no_fbx_is_refused_in_one_line(open3d, tmp_path):
    (tmp_path / "a.fbx").write_text("no mesh")
    with pytest.raises(BadInput, match=r"cannot read a\.fbx as a mesh"):
        load_parts(tmp_path / "a.fbx")


def test_without_open3d_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[open3d\]"):
        load_parts(write_fbx(tmp_path / "a.fbx"))


def test_one_fbx_is_found_by_its_name_and_a_folder_needs_no_open3d(tmp_path):
    file = write_fbx(tmp_path / "a.fbx")
    assert find_meshes(file) == [file]
    with pytest.raises(BadInput, match="no meshes"):
        find_meshes(tmp_path)


def _sorted(triangles: np.ndarray) -> list:
    """Triangles as a set, whatever order they come in and whichever corner comes first."""
    turned = [min((t[i:].tolist() + t[:i].tolist()) for i in range(3)) for t in np.asarray(triangles, float)]
    return sorted(turned)
