"""Degenerate triangles go without a trace, and vertices that join two fans of faces are found and split."""

import zlib
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapes import box, icosphere, marching, noisy_ball

from zero123pp.recon.meshing import topology
from zero123pp.recon.meshing.slivers import LEAST_HEIGHT, degenerate_faces, without_slivers
from zero123pp.types import Mesh


def _fans_by_walking(faces: np.ndarray) -> int:
    """Fans over all vertices, by walking from face to face round each vertex."""
    at = defaultdict(set)
    for index, face in enumerate(faces):
        for vertex in face:
            at[vertex].add(index)
    fans = 0
    for vertex, left in at.items():
        left = set(left)
        while left:
            fans, open_faces = fans + 1, [left.pop()]
            while open_faces:
                here = set(faces[open_faces.pop()])
                near = {other for other in left if len(here & set(faces[other]) - {vertex}) == 1}
                left -= near
                open_faces += near
    return fans


def _pinched_pair() -> Mesh:
    """Two closed boxes that share one corner vertex."""
    one, other = box(1.0, 2), box(1.0, 2)
    both = Mesh(
        np.concatenate([one.vertices, other.vertices + 1]), np.concatenate([one.faces, other.faces + len(one.vertices)])
    )
    return topology.welded(both)


def test_a_shared_corner_is_a_pinch_and_can_be_split():
    pair = _pinched_pair()
    assert topology.is_watertight(pair.faces) and topology.pinched_vertices(pair.faces) == 1
    assert not topology.is_sound(pair)
    split = topology.split_fans(pair)
    assert len(split.vertices) == len(pair.vertices) + 1 and topology.pinched_vertices(split.faces) == 0
    np.testing.assert_array_equal(split.vertices[split.faces], pair.vertices[pair.faces])
    sound = topology.made_sound(pair)
    assert topology.is_sound(sound) and len(topology.components(sound)[1]) == 2
    assert topology.signed_volume(sound) == pytest.approx(2, rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pinches_are_counted_as_by_walking_round_vertices(seed):
    """On a closed surface some of whose vertices were made one."""
    rng = np.random.default_rng(seed)
    mesh = icosphere(2)
    merge = np.arange(len(mesh.vertices))
    for _ in range(rng.integers(0, 5)):
        a, b = rng.choice(len(merge), 2, replace=False)
        near = {*mesh.faces[(mesh.faces == a).any(1)].flat}
        if not near & {*mesh.faces[(mesh.faces == b).any(1)].flat}:
            merge[merge == b] = merge[a]
    faces = merge[mesh.faces]
    assume(topology.is_watertight(faces))
    assert topology.pinched_vertices(faces) == _fans_by_walking(faces) - len(np.unique(faces))


def _with_slivers(mesh: Mesh, count: int, seed: int) -> Mesh:
    """Faces split by points almost on an edge, and edges almost of no length."""
    rng = np.random.default_rng(seed)
    vertices, faces = [*mesh.vertices.astype(np.float64)], [*map(tuple, mesh.faces)]
    for _ in range(count):
        a, b, c = faces[int(rng.integers(len(faces)))]
        point = vertices[a] + 1e-7 * (vertices[b] + vertices[c] - 2 * vertices[a])
        new = len(vertices)
        vertices.append(point)
        faces.remove((a, b, c))
        faces += [(a, b, new), (b, c, new), (c, a, new)]
    return Mesh(np.array(vertices), np.array(faces, np.int32))


@pytest.mark.parametrize("seed", range(3))
def test_slivers_go_and_the_surface_stays(seed):
    clean = icosphere(3, 0.4)
    dirty = _with_slivers(clean, 12, seed)
    assert len(degenerate_faces(dirty)) >= 12 and topology.is_watertight(dirty.faces)
    neat = without_slivers(dirty)
    assert len(degenerate_faces(neat)) == 0 and topology.is_sound(neat)
    assert len(neat.faces) == len(clean.faces)
    assert topology.euler_characteristic(neat.faces) == 2
    assert topology.signed_volume(neat) == pytest.approx(topology.signed_volume(clean), rel=1e-5)


def _rows_measured(mesh: Mesh, monkeypatch) -> int:
    """Edges and triangles that are looked at to get rid of a mesh's slivers."""
    rows = 0

    def counted(function):
        def wrapped(values, *args, **kwargs):
            nonlocal rows
            rows += values.size // 3
            return function(values, *args, **kwargs)

        return wrapped

    with monkeypatch.context() as patched:
        patched.setattr(np.linalg, "norm", counted(np.linalg.norm))
        patched.setattr(np, "cross", counted(np.cross))
        assert len(without_slivers(mesh).faces) < len(mesh.faces)
    return rows


def test_work_grows_with_faces_and_slivers_not_with_their_product(monkeypatch):
    small, large = _with_slivers(icosphere(3, 0.4), 20, 0), _with_slivers(icosphere(4, 0.4), 80, 0)
    few, many = (_rows_measured(mesh, monkeypatch) / len(mesh.faces) for mesh in (small, large))
    assert few < 8 and many < 1.2 * few


def test_the_first_sliver_in_the_list_goes_first():
    """The result as of a search that begins anew after every collapse."""
    neat = without_slivers(_with_slivers(icosphere(3, 0.4), 60, 1))
    assert neat.faces.shape == (1290, 3) and zlib.crc32(neat.faces.astype("<i4").tobytes()) == 2883415184


def test_a_mesh_without_slivers_is_left_alone():
    mesh = icosphere(3)
    assert without_slivers(mesh) is mesh


def test_colors_stay_with_their_vertices():
    dirty = _with_slivers(icosphere(2, 0.4), 5, 0)
    colors = np.round(255 * (dirty.vertices + 0.4) / 0.8).clip(0, 255).astype(np.uint8)
    neat = without_slivers(Mesh(dirty.vertices, dirty.faces, colors))
    assert np.abs(neat.colors / 255 * 0.8 - 0.4 - neat.vertices).max() < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_the_worst_surfaces_stay_closed_and_manifold(seed):
    surface = topology.made_sound(marching(noisy_ball(40, seed)))
    neat = without_slivers(surface)
    assert topology.is_watertight(neat.faces) and topology.pinched_vertices(neat.faces) == 0
    assert topology.euler_characteristic(neat.faces) == topology.euler_characteristic(surface.faces)
    assert topology.signed_volume(neat) == pytest.approx(topology.signed_volume(surface), rel=1e-5)
    assert len(degenerate_faces(neat)) <= len(degenerate_faces(surface))


def test_a_collapse_that_would_change_the_topology_is_not_done():
    """A tetrahedron with a tiny edge: without it two faces on the same corners would be left."""
    sliver = LEAST_HEIGHT / 10
    vertices = np.array([[0, 0, 0], [sliver, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    tetrahedron = Mesh(vertices, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]]))
    neat = without_slivers(tetrahedron)
    assert len(neat.faces) == 4  # nothing less encloses a volume
