"""Quads in an .obj: most faces have four corners, the surface and its texture coordinates are the same."""

import numpy as np
import pytest
from shapes import box, icosphere
from toy import toy_mesh

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.export import FileOptions, check_target, save
from zero123pp.recon.load import load_parts
from zero123pp.types import TexturedMesh

pytestmark = pytest.mark.quick

SHAPES = {"cube": lambda: box(0.5, 8), "ball": lambda: icosphere(3), "bear": lambda: toy_mesh(32)}


def textured(mesh) -> TexturedMesh:
    return TexturedMesh(mesh, mesh.vertices[:, :2] * 0.9 + 0.5, np.full((8, 8, 3), 120, np.uint8))


@pytest.mark.parametrize("kind", SHAPES)
def test_most_faces_are_quads_and_the_surface_stays_closed(tmp_path, kind):
    pytest.importorskip("pymeshlab", reason="the extra meshlab")
    asset = textured(SHAPES[kind]())
    save(asset, tmp_path / "a.obj", options=FileOptions(quads=True))
    lines = [line.split()[1:] for line in (tmp_path / "a.obj").read_text().splitlines() if line.startswith("f ")]
    faces = [[int(corner.split("/")[0]) - 1 for corner in line] for line in lines]
    assert {len(face) for face in faces} <= {3, 4}
    assert sum(len(face) - 2 for face in faces) == len(asset.mesh.faces)
    assert sum(len(face) == 4 for face in faces) / len(faces) > (0.99 if kind == "cube" else 0.6)
    edges = [(face[i], face[(i + 1) % len(face)]) for face in faces for i in range(len(face))]
    assert len(set(edges)) == len(edges) and {(b, a) for a, b in edges} == set(edges)
    (part,) = load_parts(tmp_path / "a.obj")  # read as triangles again, the same volume
    assert volume(part.mesh.vertices[part.mesh.faces]) == pytest.approx(
        volume(asset.mesh.vertices[asset.mesh.faces]), rel=0.01
    )


def volume(corners) -> float:
    return float(np.einsum("ij,ij->", corners[:, 0].astype(float), np.cross(corners[:, 1], corners[:, 2])) / 6)


def test_what_cannot_be_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match=r"--quads does not go with \.glb"):
        check_target(tmp_path / "a.glb", options=FileOptions(quads=True))
    monkeypatch.setitem(__import__("sys").modules, "pymeshlab", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[meshlab\]"):
        check_target(tmp_path / "a.obj", options=FileOptions(quads=True))
