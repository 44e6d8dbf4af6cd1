import numpy as np
import pytest
import trimesh
from scipy.ndimage import distance_transform_edt
from shapes import box, icosphere, marching, noisy_ball

from zero123pp.errors import StageFailed
from zero123pp.recon.meshing.topology import face_areas
from zero123pp.recon.ops.raster import rasterize_uv
from zero123pp.recon.texturing import unwrap as unwrap_module
from zero123pp.recon.texturing.charts import Charts, face_neighbours, pieces
from zero123pp.recon.texturing.unwrap import unwrap
from zero123pp.types import Mesh


def helix(turns: float = 2.5) -> Mesh:
    """A spiral ramp: every normal points up, and the flattened surface would lie on itself."""
    angle, radius = np.meshgrid(np.linspace(0, 2 * np.pi * turns, 120), np.linspace(0.15, 0.35, 6), indexing="ij")
    vertices = np.stack([radius * np.cos(angle), 0.04 * angle, -radius * np.sin(angle)], axis=-1).reshape(-1, 3)
    index = np.arange(len(vertices)).reshape(120, 6)
    a, b, c, d = (part.reshape(-1) for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return Mesh(vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def ring() -> Mesh:
    """A thin flat ring, whose top and bottom leave their bounding boxes nearly empty."""
    torus = trimesh.creation.torus(0.4, 0.04)
    return Mesh(torus.vertices * [1, 1, 0.2], torus.faces.astype(np.int32))


@pytest.mark.parametrize(
    ("mesh", "least"),
    [(icosphere(4), 0.5), (box(0.5, 8), 0.5), (marching(noisy_ball(24)), 0.4), (helix(), 0.3), (ring(), 0.25)],
    ids=["sphere", "cube", "tunnels", "helix", "ring"],
)
def test_atlas_has_no_overlaps_and_keeps_the_faces(mesh, least):
    atlas = unwrap(mesh, 512, 4)
    assert np.array_equal(atlas.vertex[atlas.faces], mesh.faces)
    assert atlas.uvs.min() >= 0 and atlas.uvs.max() <= 1
    a, b, c = (atlas.uvs.astype(float)[atlas.faces[:, i]].T for i in range(3))
    area = np.abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]).sum() / 2
    covered = rasterize_uv(atlas.uvs, atlas.faces, 4096, 4096).covered.mean()
    assert area == pytest.approx(covered, rel=2e-3) and covered > least
    again = unwrap(mesh, 512, 4)
    assert atlas.uvs.tobytes() == again.uvs.tobytes()


def _overlap(atlas) -> float:
    """Share of the area of all faces that lies under others."""
    a, b, c = (atlas.uvs.astype(float)[atlas.faces[:, i]].T for i in range(3))
    area = np.abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]).sum() / 2
    return 1 - rasterize_uv(atlas.uvs, atlas.faces, 4096, 4096).covered.mean() / area


@pytest.mark.parametrize("mesh", [helix(), icosphere(3)], ids=["helix", "sphere"])
def test_charts_that_fold_over_to_the_end_are_taken_apart(mesh, monkeypatch):
    """All faces in one chart, and splitting does not help."""
    one = Charts(np.zeros(len(mesh.faces), np.int64), np.array([[0.0, 1.0, 0.0]]))
    monkeypatch.setattr(unwrap_module, "partition", lambda *given: one)
    monkeypatch.setattr(unwrap_module, "split", lambda charts, *given: charts)
    atlas = unwrap(mesh, 1024, 2)
    assert _overlap(atlas) < 5e-3
    assert np.array_equal(atlas.vertex[atlas.faces], mesh.faces)
    assert atlas.charts == len(mesh.faces) and atlas.uvs.min() >= 0 and atlas.uvs.max() <= 1


def test_an_atlas_that_overlaps_is_an_error(monkeypatch):
    """Where every face is alone and two still lie on one another, nothing is handed on."""
    mesh = icosphere(1)
    monkeypatch.setattr(unwrap_module, "_packed", lambda flat, *given: np.zeros_like(flat) + np.abs(flat) * 100)
    with pytest.raises(StageFailed, match="overlap"):
        unwrap(mesh, 512, 2)


@pytest.mark.parametrize("mesh", [icosphere(4), marching(noisy_ball(24))], ids=["sphere", "tunnels"])
def test_charts_keep_their_distance_and_their_scale(mesh):
    padding, size = 6, 512
    atlas = unwrap(mesh, size, padding)
    piece = pieces(np.zeros(len(atlas.faces), int), face_neighbours(atlas.faces))
    assert piece.max() + 1 == atlas.charts
    face = rasterize_uv(atlas.uvs, atlas.faces, size, size).face
    chart = np.where(face >= 0, piece[face], -1)
    shown = np.unique(chart[chart >= 0])
    assert len(shown) > 0.5 * atlas.charts  # some are smaller than a texel
    for own in shown[:: max(1, len(shown) // 12)]:
        apart = distance_transform_edt(chart != own)[(chart >= 0) & (chart != own)]
        assert apart.min() >= padding
    # Orthographic projection: nothing is longer than its chart's scale, and faces shrink to a quarter at worst.
    texels, corners = atlas.uvs.astype(float)[atlas.faces] * size, mesh.vertices.astype(float)[mesh.faces]
    flat = np.linalg.norm(texels - np.roll(texels, 1, 1), axis=-1)
    solid = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=-1)
    scale = (flat / solid).max()
    e, f = texels[:, 1] - texels[:, 0], texels[:, 2] - texels[:, 0]
    shrunk = np.abs(e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]) / 2 / (face_areas(mesh) * scale**2)
    assert shrunk.min() > 0.24 and np.median(shrunk) > 0.8


def test_hundreds_of_thousands_of_faces_unwrap():
    mesh = icosphere(7)
    atlas = unwrap(mesh, 1024, 4)
    assert len(atlas.faces) == 327680 and atlas.charts < 20


@pytest.mark.parametrize("scale", [2.0**-10, 2.0**10])
def test_atlas_does_not_depend_on_the_unit_of_length(scale):
    mesh = icosphere(2)
    here, there = unwrap(mesh, 256, 2), unwrap(mesh.with_vertices(mesh.vertices * np.float32(scale)), 256, 2)
    assert np.array_equal(here.faces, there.faces) and np.allclose(here.uvs, there.uvs, atol=1e-3)


def test_degenerate_faces_keep_their_place():
    mesh = icosphere(2)
    vertices = np.array(mesh.vertices)
    vertices[mesh.faces[7, 1]] = vertices[mesh.faces[7, 0]]
    messy = Mesh(vertices, np.concatenate([mesh.faces, [[0, 0, 1]], mesh.faces[:2]]))
    atlas = unwrap(messy, 256, 2)
    assert np.array_equal(atlas.vertex[atlas.faces], messy.faces)
    with pytest.raises(StageFailed, match="cannot unwrap"):
        unwrap(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), 256, 2)
