"""Fields to meshes: closed, outward, coloured, or a clear error."""

import numpy as np
import pytest

from zero123pp.errors import BadInput, ConfigError, StageFailed
from zero123pp.recon.field import Field, resize_grid
from zero123pp.recon.meshing import face_normals
from zero123pp.recon.meshing.extract import ExtractConfig, extract

pytestmark = pytest.mark.quick

HALF = 0.4


def _field(radius=0.25, n=32, centre=(0.0, 0.0, 0.0)):
    axis = np.linspace(-HALF, HALF, n)
    at = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    return Field(np.linalg.norm(at - centre, axis=-1) - radius, (at + HALF) / (2 * HALF), HALF)


def _volume(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(float) for i in range(3))
    return (a * np.cross(b, c)).sum() / 6


def _is_closed(mesh):
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    forward, backward = {tuple(e) for e in edges}, {tuple(e[::-1]) for e in edges}
    return len(forward) == len(edges) and forward == backward


@pytest.mark.parametrize("upsample", [1, 2])
def test_ball_is_closed_outward_and_in_place(upsample):
    centre = np.array([0.05, -0.03, 0.02])
    mesh = extract(_field(centre=centre), ExtractConfig(upsample=upsample))
    assert _is_closed(mesh)
    assert _volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.25**3, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices - centre, axis=1), 0.25, atol=1e-3)
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32


def test_upsampling_makes_finer_and_smoother():
    coarse, fine = (extract(_field(n=16), ExtractConfig(upsample=u)) for u in (1, 2))
    assert len(fine.faces) > 3 * len(coarse.faces)
    error = [np.abs(np.linalg.norm(m.vertices[m.faces].mean(1), axis=1) - 0.25).mean() for m in (coarse, fine)]
    assert error[1] < 0.4 * error[0]


def test_smoothing_takes_what_goes_up_and_down_and_leaves_the_size():
    """A ball whose distances are off by a tenth of a voxel, to and fro."""
    ball = _field()
    to_and_fro = (-1.0) ** np.indices(ball.sdf.shape).sum(0)
    rough = Field(ball.sdf + 0.1 * ball.voxel * to_and_fro, ball.color, HALF)
    still, smooth = (extract(rough, ExtractConfig(smooth=rounds)) for rounds in (0, 1))
    np.testing.assert_array_equal(still.faces, smooth.faces)
    off = []
    for mesh in (still, smooth):
        outward = mesh.vertices[mesh.faces].mean(1)
        cosine = (face_normals(mesh.vertices, mesh.faces) * outward).sum(1) / np.linalg.norm(outward, axis=1)
        off.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
    assert off[1] < 0.8 * off[0]
    assert _volume(smooth) == pytest.approx(_volume(still), rel=2e-3)


def test_a_round_of_smoothing_goes_to_the_mean_of_the_neighbours_and_back():
    still, smooth = (extract(_field(n=16), ExtractConfig(smooth=rounds)) for rounds in (0, 1))
    neighbours = [set() for _ in still.vertices]
    for face in still.faces:
        for corner in face:
            neighbours[corner] |= {*face} - {corner}
    expected = still.vertices.astype(float)
    for share in (0.5, -0.53):
        mean = np.stack([expected[list(each)].mean(0) for each in neighbours])
        expected = (1 - share) * expected + share * mean
    np.testing.assert_allclose(smooth.vertices, expected, atol=1e-6)


def test_colors_are_those_of_the_place():
    mesh = extract(_field(), ExtractConfig(smooth=0))
    np.testing.assert_allclose(mesh.colors, 255 * (mesh.vertices + HALF) / (2 * HALF), atol=1.0)


def test_a_surface_that_leaves_the_grid_is_closed_at_its_faces():
    mesh = extract(_field(radius=0.5))
    assert _is_closed(mesh)
    assert _volume(mesh) > 0
    assert np.abs(mesh.vertices).max() <= HALF + 2 * HALF / 31


def test_winding_is_outward_around_a_cavity_too():
    axis = np.linspace(-HALF, HALF, 40)
    r = np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1), axis=-1)
    mesh = extract(Field(np.abs(r - 0.22) - 0.08, np.zeros((40, 40, 40, 3)), HALF))
    assert _volume(mesh) == pytest.approx(4 / 3 * np.pi * (0.3**3 - 0.14**3), rel=0.03)


def test_no_surface_is_an_error():
    with pytest.raises(StageFailed, match="no surface"):
        extract(Field(np.ones((8, 8, 8)), np.zeros((8, 8, 8, 3)), HALF))


def test_field_checks_its_arrays():
    with pytest.raises(BadInput, match=r"sdf \(8, 8, 7\)"):
        Field(np.ones((8, 8, 7)), np.zeros((8, 8, 7, 3)), HALF)
    with pytest.raises(BadInput, match="half_extent"):
        Field(np.ones((8, 8, 8)), np.zeros((8, 8, 8, 3)), 0.0)
    with pytest.raises(ConfigError, match="upsample"):
        ExtractConfig(upsample=0)
    with pytest.raises(ConfigError, match=r"extract\.smooth is -1"):
        ExtractConfig(smooth=-1)


def test_resizing_keeps_linear_functions():
    axis = np.linspace(-1, 1, 9)
    grid = np.stack(np.meshgrid(axis, 2 * axis, axis + 3, indexing="ij"), -1).sum(-1)
    fine = np.linspace(-1, 1, 14)
    expected = np.stack(np.meshgrid(fine, 2 * fine, fine + 3, indexing="ij"), -1).sum(-1)
    np.testing.assert_allclose(resize_grid(grid, 14), expected, atol=1e-12)
    np.testing.assert_allclose(resize_grid(np.full((2, 2, 2, 3), 0.5), 5), 0.5)
