import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import icosphere

from zero123pp.cameras import look_at, orbit_camera, pixel_centres, pixel_rays, project, unproject
from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.recon.ops import raster
from zero123pp.recon.ops.raster import BACKENDS, choose, rasterize, rasterize_uv
from zero123pp.types import Camera

pytestmark = pytest.mark.quick

CAMERA = orbit_camera(30, 20, 1.8660254, 30, 200)


@pytest.fixture(params=list(BACKENDS))
def backend(request):
    try:
        choose(request.param)
    except MissingBackend as error:
        pytest.skip(str(error))
    return request.param


def test_sphere_has_the_depth_and_outline_of_a_sphere(backend):
    radius = 0.4
    sphere = icosphere(6, radius)
    fragments = rasterize(sphere.vertices, sphere.faces, CAMERA, backend)
    origin, rays = pixel_rays(CAMERA)
    half_b = rays @ origin
    discriminant = half_b**2 - (origin @ origin - radius**2)
    forward = CAMERA.world_from_cam[:3, 2]
    depth = (-half_b - np.sqrt(np.maximum(discriminant, 0))) * (rays @ forward)
    sure = np.abs(discriminant) > 2e-3  # away from the outline, with a cosine of at least 0.11 on the surface
    edge = np.linalg.norm(np.diff(sphere.vertices[sphere.faces[:, :2]], axis=1), axis=-1).max()
    sagitta = edge**2 / 3 / (2 * radius)  # how far the middle of a facet lies inside the sphere
    assert np.array_equal(fragments.covered[sure], (discriminant > 0)[sure])
    both = fragments.covered & sure
    assert np.abs(fragments.depth - depth)[both].max() < 1.1 * sagitta / 0.11
    # Area of the outline: a cone that touches the sphere, cut by the picture plane.
    tangent = radius / np.sqrt(origin @ origin - radius**2)
    assert fragments.covered.sum() == pytest.approx(np.pi * (CAMERA.fx * tangent) ** 2, rel=2e-3)


def test_barycentric_weights_give_the_point_on_the_pixels_ray(backend):
    sphere = icosphere(3)
    fragments = rasterize(sphere.vertices, sphere.faces, CAMERA, backend)
    points = fragments.interpolate(sphere.faces, sphere.vertices)
    px, depth = project(CAMERA, points)
    assert np.abs(px - pixel_centres(CAMERA)[fragments.covered]).max() < 2e-3
    assert np.abs(depth - fragments.depth[fragments.covered]).max() < 1e-5
    assert np.allclose(fragments.barycentric[fragments.covered].sum(-1), 1, atol=1e-5)
    assert (fragments.barycentric[fragments.covered] >= -1e-5).all()
    assert not fragments.barycentric[~fragments.covered].any() and not fragments.depth[~fragments.covered].any()


def test_attributes_are_sums_over_the_corners_row_by_row():
    sphere = icosphere(2)
    fragments = rasterize(sphere.vertices, sphere.faces, CAMERA)
    values = np.random.default_rng(0).normal(size=(len(sphere.vertices), 5))
    corners = values.astype(np.float32)[sphere.faces[fragments.face[fragments.covered]]]
    weights = fragments.barycentric[fragments.covered][..., None]
    expected = corners[:, 0] * weights[:, 0] + corners[:, 1] * weights[:, 1] + corners[:, 2] * weights[:, 2]
    assert np.array_equal(fragments.interpolate(sphere.faces, values), expected)  # rounded alike: no fused operations


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_backends_agree_on_random_triangles(seed, count):
    pytest.importorskip("embreex")
    rng = np.random.default_rng(seed)
    centre = rng.uniform(-0.4, 0.4, (count, 1, 3))
    vertices = (centre + rng.normal(0, 0.15, (count, 3, 3))).reshape(-1, 3)
    faces = np.arange(3 * count).reshape(-1, 3)
    one, other = (rasterize(vertices, faces, CAMERA, name) for name in ("numba", "embree"))
    differ = one.face != other.face
    assert differ.sum() <= 2 + 0.002 * one.covered.sum()  # pixel centres on an edge, to float32
    same = ~differ & one.covered
    assert np.abs(one.depth - other.depth)[same].max(initial=0) < 1e-4
    edge_on = np.abs(one.barycentric - other.barycentric).max(-1)[same]
    assert (edge_on > 2e-3).mean() < 0.01 if edge_on.size else True


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_shared_edges_are_drawn_once(seed, on_grid):
    """Triangles that tile a square cover each of its pixels exactly once, also when edges run through pixel centres."""
    size, cells = 32, 6
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, size, cells), np.linspace(0, size, cells))
    inner = (slice(1, -1), slice(1, -1))
    for axis in (x, y):
        axis[inner] += rng.uniform(-1.2, 1.2, axis[inner].shape)  # more could fold a triangle of the 6.4 px cells
    if on_grid:
        x, y = np.round(x - 0.5) + 0.5, np.round(y - 0.5) + 0.5  # corners on pixel centres: the hardest ties
    points = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    index = np.arange(cells * cells).reshape(cells, cells)
    quads = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    a, b, c, d = (quad.reshape(-1) for quad in quads)
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    rng.shuffle(faces)
    uvs = np.stack([points[:, 0] / size, 1 - points[:, 1] / size], -1)
    count = np.zeros((size, size), int)
    for face in faces:
        count += rasterize_uv(uvs, face[None], size, size, "numba").covered
    inside = slice(1, -1) if on_grid else slice(None)
    assert (count[inside, inside] == 1).all()


def test_nearest_surface_wins_whatever_the_order(backend):
    quad = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * 0.3
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    camera = orbit_camera(0, 0, 2.0, 30, 64)
    for order in ([0.1, -0.1], [-0.1, 0.1]):
        vertices = np.concatenate([quad + np.array([0, 0, z]) for z in order])
        fragments = rasterize(vertices, np.concatenate([faces, faces + 4]), camera, backend)
        assert fragments.depth[32, 32] == pytest.approx(1.9, abs=1e-5)


def test_a_floor_through_the_camera_plane_is_drawn_to_the_horizon(backend):
    """One huge triangle pair under the viewer: most of it lies behind the camera, and only its front part is seen."""
    pose = look_at(np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, -1.0]))
    camera = Camera(pose, 50, 50, 32, 32, 64, 64)
    floor = np.array([[-500.0, 0, -500], [500, 0, -500], [500, 0, 500], [-500, 0, 500]])
    fragments = rasterize(floor, np.array([[0, 2, 1], [0, 3, 2]]), camera, backend)
    expected = unproject(camera, pixel_centres(camera), np.full((64, 64), 1.0))
    below = 1.0 - expected[..., 1]  # drop below the eye per unit of depth
    visible = below > 1 / 450
    assert np.array_equal(fragments.covered[visible], np.ones(visible.sum(), bool))
    assert not fragments.covered[below <= 0].any()
    assert np.allclose(fragments.depth[visible], 1 / below[visible], rtol=1e-3)


def test_uv_raster_has_the_top_at_v_one(backend):
    uvs = np.array([[0, 0.5], [1, 0.5], [1, 1], [0, 1]])
    fragments = rasterize_uv(uvs, np.array([[0, 1, 2], [0, 2, 3]]), 16, 8, backend)
    assert fragments.covered[:4].all() and not fragments.covered[4:].any()
    interpolated = fragments.interpolate(np.array([[0, 1, 2], [0, 2, 3]]), uvs).reshape(4, 16, 2)
    assert np.allclose(interpolated[0, 0], [0.5 / 16, 1 - 0.5 / 8], atol=1e-6)


def test_nothing_to_draw(backend):
    none = np.zeros((0, 3), int)
    assert not rasterize(np.zeros((0, 3)), none, CAMERA, backend).covered.any()
    behind = np.array([[0, 0, 9], [1, 0, 9], [0, 1, 9]]) + CAMERA.world_from_cam[:3, 3]
    assert not rasterize(behind, np.array([[0, 1, 2]]), CAMERA, backend).covered.any()
    flat = np.array([[0.0, 0, 0], [0.1, 0.1, 0.1], [0.2, 0.2, 0.2]])
    assert rasterize(flat, np.array([[0, 1, 2], [0, 0, 1]]), CAMERA, backend).covered.sum() <= 2


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        (np.zeros((3, 3)), [[0, 1, 3]]),
        (np.zeros((3, 3)), [[-1, 1, 2]]),
        (np.full((3, 3), np.nan), [[0, 1, 2]]),
        (np.zeros((3, 2)), [[0, 1, 2]]),
        (np.zeros((3, 3)), [[0, 1, 2, 0]]),
    ],
)
def test_bad_meshes_are_refused(vertices, faces):
    with pytest.raises(BadInput):
        rasterize(vertices, np.array(faces), CAMERA)


def test_choosing_a_backend(monkeypatch):
    assert choose("auto")[0] == "numba"
    with pytest.raises(ConfigError, match="unknown rasteriser 'gl'"):
        choose("gl")
    monkeypatch.setitem(raster.BACKENDS, "numba", ("zero123pp.no_such_module", "any", "pip install something"))
    with pytest.raises(MissingBackend, match="pip install something"):
        choose("numba")
    monkeypatch.setitem(raster.BACKENDS, "embree", ("zero123pp.no_such_module", "any", "pip install other"))
    with pytest.raises(MissingBackend, match="pip install other"):
        choose("auto")
