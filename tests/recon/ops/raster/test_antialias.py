"""The differentiable rasteriser: laws of areas and gradients."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp.cameras import orbit_camera, project
from zero123pp.errors import ConfigError, MissingBackend
from zero123pp.recon.ops import raster
from zero123pp.recon.ops.raster import fused, rasterize
from zero123pp.recon.ops.raster.crossings import REACH, edge_neighbours
from zero123pp.recon.ops.raster.zbuffer import intrinsic_matrix, screen_points
from zero123pp.types import Camera

torch = pytest.importorskip("torch")
from zero123pp.recon.ops.raster import antialias, nvdr, torch_visibility  # noqa: E402

CAMERA = orbit_camera(30, 20, 1.8660254, 30, 64)


def _soup(seed, count=12):
    """Random triangles that overlap, away from each other's planes."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-0.35, 0.35, (count, 1, 3)) + rng.normal(0, 0.12, (count, 3, 3))
    faces = np.arange(3 * count).reshape(-1, 3)
    return torch.tensor(vertices.reshape(-1, 3)), torch.tensor(faces), torch.tensor(rng.uniform(0, 1, (3 * count, 2)))


def _ball(subdivisions, seed=0):
    ball = icosphere(subdivisions)
    values = np.random.default_rng(seed).uniform(0, 1, (len(ball.vertices), 2))
    return torch.tensor(ball.vertices, dtype=torch.float64), torch.tensor(ball.faces), torch.tensor(values)


@pytest.mark.parametrize("scene", [_soup(0, 6), _soup(1, 6), _ball(1)])
def test_gradients_with_the_visibility_held(scene):
    vertices, faces, values = scene
    small = orbit_camera(30, 20, 1.8660254, 30, 16)
    seen = antialias.see(vertices, faces, small)
    assert len(seen.owner) > 10

    def picture(vertices, values):
        return antialias.shade(vertices, faces, values, small, seen)

    inputs = (vertices.clone().requires_grad_(), values.clone().requires_grad_())
    assert torch.autograd.gradcheck(picture, inputs, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("backend", ["numba", "embree"])
def test_weights_are_those_of_the_rasterisers(backend):
    if backend == "embree":
        pytest.importorskip("embreex")
    vertices, faces, _ = _ball(3)
    fragments = rasterize(vertices.numpy(), faces.numpy(), CAMERA, backend)
    pixels = torch.tensor(np.flatnonzero(fragments.covered))
    corners = antialias.to_screen(vertices, CAMERA)[
        faces.long()[torch.tensor(fragments.face[fragments.covered]).long()]
    ]
    weights = antialias.barycentric(corners, pixels, CAMERA.width).numpy()
    assert np.abs(weights - fragments.barycentric[fragments.covered]).max() < (1e-5 if backend == "numba" else 2e-2)


def _screen_area(points):
    x, y = points.T
    return 0.5 * abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))


@pytest.mark.parametrize("seed", range(6))
def test_covered_area_of_a_triangle_and_its_derivative(seed):
    """Sums of coverage follow the true area of the triangle on the screen, and so do their derivatives."""
    rng = np.random.default_rng(seed)
    camera = orbit_camera(0, 0, 1.8660254, 30, 128)
    angles = rng.uniform(0, 2 * np.pi) + np.array([0, 2, 4]) * np.pi / 3 + rng.uniform(-0.4, 0.4, 3)
    vertices = np.stack([0.4 * np.cos(angles), 0.4 * np.sin(angles), rng.uniform(-0.1, 0.1, 3)], axis=1)
    moved = torch.tensor(vertices, requires_grad=True)
    faces = torch.tensor([[0, 1, 2]])
    coverage = antialias.draw(moved, faces, torch.zeros(3, 1, dtype=torch.float64), camera)[..., -1].sum()
    area = _screen_area(project(camera, vertices)[0])
    assert coverage.item() == pytest.approx(area, rel=2e-3)
    (found,) = torch.autograd.grad(coverage, moved)
    step, wanted = 1e-5, np.zeros((3, 3))
    for index in np.ndindex(3, 3):
        change = np.zeros((3, 3))
        change[index] = step
        ends = [_screen_area(project(camera, vertices + sign * change)[0]) for sign in (1, -1)]
        wanted[index] = (ends[0] - ends[1]) / (2 * step)
    assert np.abs(found.numpy() - wanted).max() < 0.04 * np.abs(wanted).max()


@pytest.mark.parametrize(("subdivisions", "size"), [(2, 128), (4, 64), (4, 128), (5, 64)])
def test_covered_area_of_a_growing_ball(subdivisions, size):
    """The silhouette is followed through triangles much smaller than a pixel: the paper's rule alone loses it there."""
    camera = orbit_camera(20, 10, 1.8660254, 30, size)
    vertices, faces, values = _ball(subdivisions)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)

    def derivative(reach):
        coverage = antialias.draw(scale * vertices, faces, values, camera, reach=reach)[..., -1].sum()
        return torch.autograd.grad(coverage, scale)[0].item()

    def area(scale):  # by counting, at 16 times the resolution
        fine = orbit_camera(20, 10, 1.8660254, 30, 16 * size)
        return rasterize(scale * vertices.numpy(), faces.numpy(), fine).covered.sum() / 256

    wanted = (area(1.02) - area(0.98)) / 0.04
    assert derivative(REACH) == pytest.approx(wanted, rel=0.03)
    if subdivisions >= 4:
        assert derivative(0) < 0.1 * wanted


def test_a_vertical_edge_gives_the_exact_share_of_a_pixel():
    camera = orbit_camera(0, 0, 2.0, 30, 16)
    for position in (0.02, 0.037, 0.061):
        quad = torch.tensor([[-0.9, -0.9, 0], [position, -0.9, 0], [position, 0.9, 0], [-0.9, 0.9, 0]])
        faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
        row = antialias.draw(quad.double(), faces, torch.ones(4, 1).double(), camera)[8]
        right = project(camera, quad.numpy()[1:2])[0][0, 0]
        np.testing.assert_allclose(row[:, -1], np.clip(right - np.arange(16), 0, 1), atol=1e-6)
        np.testing.assert_allclose(row[:, 0], row[:, 1], atol=1e-12)


def test_an_inner_silhouette_blends_the_two_surfaces():
    """A small square before a large one: the sum of the picture is that of the true areas."""
    camera = orbit_camera(0, 0, 2.0, 30, 64)
    square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]).double()
    front = 0.211 * square + torch.tensor([0.0137, -0.021, 0.1])
    vertices = torch.cat([0.4 * square, front]).requires_grad_()
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    values = torch.tensor([[0.2]] * 4 + [[0.9]] * 4).double()
    picture = antialias.draw(vertices, faces, values, camera)
    scale = [camera.fx / 2.0, camera.fx / 1.9]
    large, small = (0.8 * scale[0]) ** 2, (0.422 * scale[1]) ** 2
    assert picture[..., 0].sum().item() == pytest.approx(0.2 * large + 0.7 * small, rel=5e-3)
    (gradient,) = torch.autograd.grad(picture[..., 0].sum(), vertices)
    # Moving the small square's right edge to the right uncovers nothing and covers more of the large one.
    side = 0.422 * scale[1]
    assert gradient[[5, 6], 0].sum().item() == pytest.approx(0.7 * side * scale[1], rel=0.03)


def test_neighbours_across_edges():
    ball = icosphere(2)
    across = edge_neighbours(ball.faces)
    for f in range(0, len(ball.faces), 7):
        for corner in range(3):
            shared = set(ball.faces[f]) - {ball.faces[f, corner]}
            assert shared <= set(ball.faces[across[f, corner]]) and across[f, corner] != f
    fan = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])  # three faces share an edge: no neighbour is the right one
    assert (edge_neighbours(fan) == -1).all()
    assert edge_neighbours(np.zeros((0, 3), int)).shape == (0, 3)


@pytest.mark.parametrize("scene", [_soup(0, 60), _ball(1), _ball(3), _ball(5)])
@pytest.mark.parametrize("reach", [0, REACH])
def test_torch_sees_what_numba_sees(scene, reach, monkeypatch):
    monkeypatch.setattr(torch_visibility, "_CANDIDATES", 500)  # in several parts
    vertices, faces, _ = scene
    cut = Camera(CAMERA.world_from_cam, CAMERA.fx, CAMERA.fy, 5.0, 33.0, 50, 40)  # part of the mesh is outside
    compared = 0
    for camera in (CAMERA, cut):
        one, other = (antialias.see(vertices, faces, camera, name, reach) for name in ("numba", "torch"))
        assert (one.face != other.face).sum() <= 1  # rounding at an edge
        if (one.face == other.face).all():
            rows = []
            for seen in (one, other):
                row = torch.cat([seen.owner[:, None], seen.other[:, None], seen.edge], dim=1)
                rows.append(sorted(map(tuple, row.tolist())))
            assert rows[0] == rows[1] and (reach == 0 or len(rows[0]) > 20)
            compared += 1
    assert compared


def test_torch_leaves_out_what_reaches_behind_the_camera_and_draws_nothing_of_nothing():
    eye = torch.tensor(CAMERA.world_from_cam[:3, 3])
    behind = torch.stack([eye * 0, eye * 2, eye * 0 + torch.tensor([0.1, 0, 0])])
    for vertices, faces in ((behind, [[0, 1, 2]]), (behind, np.zeros((0, 3), int))):
        seen = antialias.see(vertices, torch.tensor(faces), CAMERA, "torch")
        assert (seen.face == -1).all() and not len(seen.owner)


def test_one_call_for_every_backend():
    vertices, faces, values = (each.numpy() for each in _ball(2))
    gradient = np.random.default_rng(0).normal(size=(64, 64, 3))
    results = [
        raster.draw_with_gradient(vertices, faces, values, CAMERA, gradient, name) for name in ("torch", "numba")
    ]
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * np.abs(one).max())
    assert raster.choose_differentiable("auto", "cpu")[0] == "numba"
    with pytest.raises(ConfigError, match="unknown differentiable rasteriser 'gl'"):
        raster.choose_differentiable("gl")
    with pytest.raises(MissingBackend, match="for cuda and this is cpu"):
        raster.choose_differentiable("nvdiffrast", "cpu")


def test_clip_space_has_the_pixels_where_nvdiffrast_draws_them():
    """Its pixel (column, row) covers x / w = 2 (column + 0.5) / width - 1, and y likewise from the first row on."""
    vertices = torch.tensor(np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3)))
    camera = Camera(CAMERA.world_from_cam, 90.0, 80.0, 21.0, 30.0, 50, 40)
    clip = nvdr.to_clip(vertices, camera).numpy()
    px, depth = project(camera, vertices.numpy())
    np.testing.assert_allclose((clip[:, :2] / clip[:, 3:] + 1) / 2 * [50, 40], px, atol=1e-9)
    np.testing.assert_allclose(clip[:, 3], depth, atol=1e-12)
    z = clip[:, 2] / clip[:, 3]
    assert (np.abs(z) < 1).all() and (np.diff(z[np.argsort(depth)]) > 0).all()


def test_nothing_in_view_draws_nothing_and_moves_nothing():
    vertices = torch.full((3, 3), 9.0, dtype=torch.float64, requires_grad=True)
    picture = antialias.draw(vertices, torch.tensor([[0, 1, 2]]), torch.ones(3, 2).double(), CAMERA)
    assert picture.shape == (64, 64, 3) and not picture.any()
    (gradient,) = torch.autograd.grad(picture.sum(), vertices, allow_unused=True)
    assert gradient is None or not gradient.any()


@pytest.mark.parametrize("scene", [_soup(2, 40), _ball(2), _ball(4)])
@pytest.mark.parametrize("channels", [1, 6])
def test_the_compiled_pass_is_the_reference(scene, channels):
    vertices, faces, _ = scene
    rng = np.random.default_rng(channels)
    values = torch.tensor(rng.uniform(0, 1, (len(vertices), channels)), requires_grad=True)
    vertices = vertices.clone().requires_grad_()
    picture = antialias.draw(vertices, faces, values, CAMERA)
    gradient = rng.normal(size=picture.shape)
    wanted = torch.autograd.grad((picture * torch.tensor(gradient)).sum(), (vertices, values))
    triangles = faces.numpy().astype(np.int32)
    drawn = fused.draw(
        screen_points(vertices.detach().numpy(), CAMERA), triangles, values.detach().numpy().astype(np.float32),
        CAMERA.width, CAMERA.height, edge_neighbours(triangles),
    )  # fmt: skip
    assert len(drawn.crossings.owner) > 100
    np.testing.assert_allclose(drawn.picture, picture.detach().numpy(), atol=2e-6)
    of_points, of_values = drawn.backward(gradient)
    of_vertices = of_points @ (intrinsic_matrix(CAMERA) @ CAMERA.world_from_cam[:3, :3].T)
    for found, reference in ((of_vertices, wanted[0].numpy()), (of_values, wanted[1].numpy())):
        np.testing.assert_allclose(found, reference, rtol=0, atol=2e-5 * np.abs(reference).max())
