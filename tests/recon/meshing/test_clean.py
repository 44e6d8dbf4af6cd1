import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import box, icosphere, marching, noisy_ball

from zero123pp.errors import ConfigError, StageFailed
from zero123pp.recon.meshing import topology
from zero123pp.recon.meshing.clean import CleanConfig, clean
from zero123pp.types import Mesh


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def moved(mesh: Mesh, offset: tuple[float, float, float], scale: float = 1.0) -> Mesh:
    return mesh.with_vertices(mesh.vertices * scale + np.array(offset, np.float32))


def inside_out(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1], mesh.colors)


@pytest.mark.parametrize("faces", [300, 3000, 0])
@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_closed_surfaces_end_watertight_and_manifold(faces, rounded, seed):
    """Also for the worst topology, and where many grid nodes lie exactly on the surface."""
    field = noisy_ball(40, seed)
    if rounded:
        field = np.round(field * 8) / 8
    mesh, report = clean(marching(field), CleanConfig(faces=faces))
    assert report["watertight"] and report["manifold"]
    # As independent readers see it: edges of position-welded triangles, each used twice.
    reread = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    assert reread.is_watertight and reread.is_winding_consistent and reread.volume > 0
    assert report["outward"] and report["degenerate_faces"] == 0
    assert topology.pinched_vertices(mesh.faces) == 0 == report["euler"] % 2
    if faces:
        assert report["faces"] <= 1.02 * faces


@pytest.mark.quick
def test_report_tells_the_truth_about_a_sphere():
    sphere = icosphere(5, 0.4)
    mesh, report = clean(sphere, CleanConfig(faces=1000))
    assert report["faces"] == len(mesh.faces) == pytest.approx(1000, abs=20)
    assert report["vertices"] == len(mesh.vertices) and report["euler"] == 2
    assert report["components_kept"] == 1 and report["components_dropped"] == report["cavities_dropped"] == 0
    assert report["volume"] == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.02)
    assert report["area"] == pytest.approx(4 * np.pi * 0.4**2, rel=0.02)
    assert report["simplified"] == "quadric"
    assert report["outward"] and report["degenerate_faces"] == 0 and report["dropped"] == []
    assert report["shells"] == [
        {"area_share": 1.0, "faces": len(mesh.faces), "volume": pytest.approx(report["volume"])}
    ]


@pytest.mark.quick
def test_floaters_and_cavities_are_dropped_and_second_shells_kept():
    body, shell = icosphere(4, 0.3), moved(icosphere(3, 0.15), (0.6, 0, 0))
    floater, cavity = moved(icosphere(1, 0.02), (0, 0.6, 0)), inside_out(icosphere(3, 0.2))
    mesh, report = clean(joined(floater, cavity, body, shell), CleanConfig(faces=0))
    assert len(mesh.faces) == len(body.faces) + len(shell.faces)
    assert (report["components_kept"], report["components_dropped"], report["cavities_dropped"]) == (2, 1, 1)
    areas = [topology.face_areas(part).sum() for part in (floater, cavity, body, shell)]
    assert report["dropped_area"] == pytest.approx((areas[0] + areas[1]) / sum(areas), rel=1e-5)
    assert [piece["kind"] for piece in report["dropped"]] == ["cavity", "floater"]  # the largest first
    assert report["dropped"][1]["centre"] == pytest.approx([0, 0.6, 0], abs=1e-3)
    assert report["dropped"][1]["size"] == pytest.approx(0.04, rel=0.1)
    assert [shell["faces"] for shell in report["shells"]] == [len(body.faces), len(shell.faces)]
    assert report["outward"]


@pytest.mark.quick
def test_an_inward_surface_is_turned_outward_with_its_cavity():
    body, cavity = icosphere(3, 0.3), inside_out(icosphere(2, 0.1))
    mesh, report = clean(inside_out(joined(body, cavity)), CleanConfig(faces=0))
    assert report["cavities_dropped"] == 1 and topology.signed_volume(mesh) > 0


@pytest.mark.quick
def test_redundant_faces_go():
    cube = box(splits=2)
    again, flipped = cube.faces[:3], cube.faces[5:7, ::-1]
    degenerate = np.array([[0, 0, 1], [2, 3, 2]])
    messy = Mesh(cube.vertices, np.concatenate([degenerate, cube.faces, again]))
    assert len(topology.without_redundant_faces(messy).faces) == len(cube.faces)
    cancelled = topology.without_redundant_faces(Mesh(cube.vertices, np.concatenate([cube.faces, flipped])))
    assert len(cancelled.faces) == len(cube.faces) - 2


@pytest.mark.quick
def test_a_triangle_soup_is_joined():
    sphere = icosphere(3)
    soup = Mesh(sphere.vertices[sphere.faces].reshape(-1, 3), np.arange(sphere.faces.size).reshape(-1, 3))
    mesh, report = clean(soup, CleanConfig(faces=0))
    assert report["watertight"] and len(mesh.vertices) == len(sphere.vertices)


@pytest.mark.quick
def test_two_cubes_that_share_an_edge_come_apart():
    cube = trimesh.creation.box((1, 1, 1))
    two = topology.welded(joined(*(Mesh(cube.vertices + offset, cube.faces) for offset in ([0, 0, 0], [1, 1, 0]))))
    assert not topology.is_watertight(two.faces)  # four faces at one edge
    mesh, report = clean(two, CleanConfig(faces=0))
    assert report["watertight"] and report["manifold"] and report["components_kept"] == 2
    assert np.allclose(mesh.vertices, np.round(mesh.vertices * 2) / 2, atol=1e-4)


@pytest.mark.quick
def test_colors_follow_their_vertices():
    sphere = icosphere(5)
    colors = np.clip((sphere.vertices + 0.5) * 255, 0, 255).astype(np.uint8)
    mesh, _ = clean(Mesh(sphere.vertices, sphere.faces, colors), CleanConfig(faces=500))
    assert np.abs(mesh.colors / 255 - (mesh.vertices + 0.5)).max() < 0.05


@pytest.mark.quick
def test_an_open_surface_is_kept_and_reported_as_open():
    sphere = icosphere(4)
    cap = topology.keep_faces(sphere, sphere.vertices[sphere.faces].mean(1)[:, 1] > 0)
    mesh, report = clean(cap, CleanConfig(faces=400))
    assert not report["watertight"] and not report["manifold"] and len(mesh.faces) <= 410


@pytest.mark.quick
def test_same_bytes_twice():
    surface = marching(noisy_ball(32))
    one, two = (clean(surface, CleanConfig(faces=500))[0] for _ in range(2))
    assert one.vertices.tobytes() == two.vertices.tobytes() and one.faces.tobytes() == two.faces.tobytes()


@pytest.mark.quick
def test_nothing_is_refused():
    with pytest.raises(StageFailed, match="no faces"):
        clean(Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)))
    with pytest.raises(StageFailed, match="no faces"):
        clean(Mesh(np.zeros((3, 3)), np.array([[0, 0, 1]])))


@pytest.mark.quick
@pytest.mark.parametrize("bad", [{"faces": 3}, {"faces": -1}, {"min_component": 1.0}, {"min_component": -0.1}])
def test_config_is_checked(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        CleanConfig(**bad)


@pytest.mark.quick
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_watertight_agrees_with_trimesh(seed):
    """On random connectivity over few vertices: closed and consistent for one is so for the other."""
    rng = np.random.default_rng(seed)
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    faces = np.concatenate([tetrahedron, tetrahedron + 4])
    if rng.random() < 0.5:
        faces = np.delete(faces, rng.integers(len(faces)), axis=0)
    if rng.random() < 0.5:
        row = rng.integers(len(faces))
        faces[row] = faces[row, ::-1]
    mesh = trimesh.Trimesh(rng.random((8, 3)), faces, process=False)
    assert topology.is_watertight(faces) == (mesh.is_watertight and mesh.is_winding_consistent)
    assert topology.euler_characteristic(faces) == mesh.euler_number
