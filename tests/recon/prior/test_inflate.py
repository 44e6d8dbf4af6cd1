"""Laws of the inflated silhouette: closed manifolds, known solutions of the Poisson equation, kept outlines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from zero123pp.cameras import orbit_camera, project
from zero123pp.errors import BadInput
from zero123pp.recon.prior.inflate import InflateConfig, behind_picture, inflate
from zero123pp.rigs import get_rig

BALL = InflateConfig(roundness=4, depth_limit=100)


def disc(size: int, radius: float, centre: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """Antialiased disc; radius in px, centre as fractions of the side."""
    y, x = np.mgrid[:size, :size] + 0.5
    return np.clip(radius - np.hypot(x - centre[0] * size, y - centre[1] * size) + 0.5, 0, 1)


def bar(size: int, half_width: float, half_length: float) -> np.ndarray:
    y, x = np.abs(np.mgrid[:size, :size] + 0.5 - size / 2)
    return np.clip(half_width - y + 0.5, 0, 1) * np.clip(half_length - x + 0.5, 0, 1)


def blobs(seed: int, size: int, coarseness: float) -> np.ndarray:
    """Thresholded noise: many components, holes and touching corners."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    return (ndimage.gaussian_filter(noise, coarseness) > 0).astype(np.float32)


def assert_closed_manifold(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Each edge has one face on either side, running opposite ways; the faces of each vertex form one fan."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    keys = directed[:, 0] * len(vertices) + directed[:, 1]
    assert len(np.unique(keys)) == len(keys)
    assert np.array_equal(np.sort(keys), np.sort(directed[:, 1] * len(vertices) + directed[:, 0]))
    # In a closed surface whose edges are sound, a corner (vertex, next, previous) maps next to previous round the
    # vertex; one cycle a vertex means one fan.
    following = {}
    for a, b, c in faces.tolist():
        for v, n, p in ((a, b, c), (b, c, a), (c, a, b)):
            following[v, n] = p
    starts, degrees = {}, np.bincount(faces.ravel(), minlength=len(vertices))
    for v, n in following:
        starts.setdefault(v, n)
    for v, start in starts.items():
        n, steps = following[v, start], 1
        while n != start:
            n, steps = following[v, n], steps + 1
        assert steps == degrees[v]
    assert (degrees > 0).all()


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = (vertices[faces[:, i]].astype(float) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def euler(vertices: np.ndarray, faces: np.ndarray) -> int:
    return len(vertices) - 3 * len(faces) // 2 + len(faces)


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.43, 0.52)])
def test_disc_becomes_a_ball(centre: tuple[float, float]) -> None:
    size, radius = 200, 71.3
    solid = inflate(disc(size, radius, centre), BALL)
    vertices = solid.mesh.vertices * size - [(centre[0] - 0.5) * size, (0.5 - centre[1]) * size, 0]
    assert np.abs(np.linalg.norm(vertices, axis=1) - radius).max() < 0.35  # px
    assert volume(solid.mesh.vertices, solid.mesh.faces) == pytest.approx(
        4 / 3 * np.pi * (radius / size) ** 3, rel=0.01
    )


def test_long_bar_becomes_a_round_bar() -> None:
    size, half_width = 256, 9.4
    solid = inflate(bar(size, half_width, 120), InflateConfig(roundness=2, depth_limit=100, grid=400))
    across = solid.height[:, size // 2] * size
    y = np.arange(size) + 0.5 - size / 2
    wanted = np.sqrt(np.maximum(half_width**2 - y**2, 0))
    assert np.abs(across - wanted)[np.abs(y) < half_width - 1].max() < 0.15  # px
    assert (across[np.abs(y) > half_width + 1] == 0).all()


def test_thin_part_of_a_broad_thing_stays_thin() -> None:
    size = 300
    alpha = np.maximum(disc(size, 60, (0.35, 0.5)), bar(size, 5, 140))
    height = inflate(alpha).height * size
    assert 3 < height[150, 270] < 10  # the bar is 10 px wide
    assert height[150, 105] > 35


def test_depth_limit_holds() -> None:
    alpha = bar(256, 60, 100)
    config = InflateConfig(depth_limit=0.4)
    assert 0.5 * 0.4 * 0.75 < inflate(alpha, config).height.max() * 256 / 120 < 0.5 * 0.4


def test_outline_keeps_fractions_of_a_pixel() -> None:
    for radius in (40.0, 40.3, 40.7):
        solid = inflate(disc(128, radius), InflateConfig(grid=128))
        front = solid.mesh.faces[: len(solid.mesh.faces) // 2]
        a, b, c = (solid.mesh.vertices[front[:, i], :2].astype(float) * 128 for i in range(3))
        u, v = b - a, c - a
        area = 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
        assert (area > 0).all()
        assert np.sqrt(area.sum() / np.pi) == pytest.approx(radius, abs=0.05)


def test_front_and_back_are_mirror_images_that_share_the_outline() -> None:
    solid = inflate(np.maximum(disc(128, 30, (0.3, 0.4)), disc(128, 20, (0.7, 0.7))))
    front, back = np.split(solid.mesh.faces, 2)
    shared = np.intersect1d(front, back)
    assert (solid.mesh.vertices[shared, 2] == 0).all()
    assert (solid.mesh.vertices[np.setdiff1d(front, shared), 2] > 0).all()
    assert np.array_equal(solid.mesh.vertices[front], solid.mesh.vertices[back[:, ::-1]] * np.float32([1, 1, -1]))


def test_components_and_holes_are_kept_and_pinholes_and_specks_are_not() -> None:
    ring = disc(256, 70, (0.35, 0.5)) - disc(256, 35, (0.35, 0.5))
    alpha = np.maximum(ring, disc(256, 20, (0.85, 0.3)))
    clean = inflate(alpha)
    assert euler(clean.mesh.vertices, clean.mesh.faces) == 0 + 2  # a torus and a ball
    noisy = alpha.copy()
    noisy[128, 89 - 52] = 0  # in the middle of the ring's band
    noisy[250, 250] = 1
    assert np.array_equal(inflate(noisy).height, clean.height)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.sampled_from([0.0, 0.7, 2.0]), st.sampled_from([8, 33, 64]))
def test_every_silhouette_becomes_a_closed_manifold(seed: int, size: int, coarseness: float, grid: int) -> None:
    alpha = blobs(seed, size, coarseness)
    if not (alpha > 0.5).any():
        return
    mesh = inflate(alpha, InflateConfig(grid=grid)).mesh
    assert np.isfinite(mesh.vertices).all()
    assert_closed_manifold(mesh.vertices, mesh.faces)
    assert volume(mesh.vertices, mesh.faces) > 0


@pytest.mark.parametrize(("size", "grid"), [(1, 40), (2, 40), (64, 96)])
def test_fully_opaque_picture_is_closed_too(size: int, grid: int) -> None:
    mesh = inflate(np.ones((size, size)), InflateConfig(grid=grid)).mesh
    assert_closed_manifold(mesh.vertices, mesh.faces)
    assert np.abs(mesh.vertices[:, :2]).max() == pytest.approx(0.5, abs=0.51 / size)


def test_camera_sees_the_silhouette_exactly_and_a_disc_as_a_ball() -> None:
    rig = get_rig("v1.2")
    size, radius = 256, 110
    solid = inflate(disc(size, radius), BALL)
    camera = orbit_camera(0, 0, rig.distance, rig.fov_deg, size)
    world = behind_picture(solid.mesh.vertices, rig.distance, 1.0)
    px, depth = project(camera, world)
    assert (depth > 0).all()
    wanted = (solid.mesh.vertices[:, :2] * [1, -1] + 0.5) * size
    assert np.abs(px - wanted).max() < 1e-3
    radii = np.linalg.norm(world, axis=1)
    assert radii.max() / radii.min() < 1.04  # to first order in radius / distance
    assert world[:, 2].max() == pytest.approx(-world[:, 2].min(), rel=1e-6)


def test_same_bytes_twice() -> None:
    alpha = blobs(3, 60, 2)
    first, second = inflate(alpha), inflate(alpha)
    assert first.mesh.vertices.tobytes() == second.mesh.vertices.tobytes()
    assert first.mesh.faces.tobytes() == second.mesh.faces.tobytes()


@pytest.mark.quick
@pytest.mark.parametrize(
    "alpha", [np.zeros((16, 16)), np.full((16, 16), 0.4), np.ones((16, 8)), np.ones(16), np.full((8, 8), np.nan)]
)
def test_unusable_silhouettes_are_refused(alpha: np.ndarray) -> None:
    with pytest.raises(BadInput):
        inflate(alpha)


@pytest.mark.quick
@pytest.mark.parametrize("setting", [{"grid": 1}, {"roundness": 0}, {"depth_limit": -1}, {"smallest_part": 1}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="out of range"):
        InflateConfig(**setting)
