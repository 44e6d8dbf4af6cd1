import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from shapes import icosphere

from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.texturing.fill import fill_nearest, fill_on_surface
from zero123pp.types import Mesh

pytestmark = pytest.mark.quick


def test_gutter_takes_the_nearest_texel():
    rng = np.random.default_rng(0)
    known = rng.random((60, 80)) > 0.98
    values = rng.random((60, 80, 3))
    filled = fill_nearest(values, known)
    assert np.array_equal(filled[known], values[known])
    exact = distance_transform_edt(~known)
    index = np.arange(60 * 80).reshape(60, 80)
    source = fill_nearest(index[..., None], known)[..., 0]
    y, x = np.divmod(source, 80)
    distance = np.hypot(y - np.arange(60)[:, None], x - np.arange(80))
    assert known.reshape(-1)[source].all() and (distance - exact).max() < 0.5
    assert (distance == exact).mean() > 0.98
    assert np.array_equal(fill_nearest(values, np.zeros((60, 80), bool)), values)


def test_surface_fill_is_harmonic():
    """On a sphere with its poles known, colours are between theirs and ordered by height."""
    mesh = icosphere(3)
    height = mesh.vertices[:, 1] / 0.4
    known = np.abs(height) > 0.9
    colors = np.where(height[:, None] > 0, [1.0, 0, 0], [0, 0, 1.0])
    filled = fill_on_surface(mesh, smooth_normals(mesh), colors, known)
    assert np.array_equal(filled[known], colors[known]) and filled.min() >= 0 and filled.max() <= 1
    equator = np.abs(height) < 0.05
    assert np.allclose(filled[equator], [0.5, 0, 0.5], atol=0.1)
    assert np.corrcoef(filled[~known, 0], height[~known])[0, 1] > 0.97


def test_surface_fill_reaches_pieces_without_any_color():
    one, two = icosphere(2, 0.2), icosphere(2, 0.1)
    faces = np.concatenate([one.faces, two.faces + len(one.vertices)])
    mesh = Mesh(np.concatenate([one.vertices, two.vertices + np.float32(0.4)]), faces)
    known = np.arange(len(mesh.vertices)) < len(one.vertices)
    filled = fill_on_surface(mesh, smooth_normals(mesh), np.full((len(known), 3), 0.3) * known[:, None], known)
    assert np.allclose(filled, 0.3)
