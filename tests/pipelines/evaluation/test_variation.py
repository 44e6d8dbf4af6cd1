"""Other objects made of known ones: closed as before, in the sphere, with prints where they had one colour."""

import numpy as np
import pytest
import trimesh

from zero123pp.cameras import OBJECT_RADIUS
from zero123pp.pipelines.evaluation.variation import varied
from zero123pp.recon.meshing import FILL, geometry, is_watertight, welded
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

CHECKS = (np.indices((16, 16)).sum(0) % 2 * 255)[..., None].repeat(3, -1).astype(np.uint8)


def box(colors=(200, 30, 30)):
    made = trimesh.creation.box((0.8, 0.5, 0.3)).subdivide()
    return Mesh(made.vertices, made.faces, np.tile(np.uint8(colors), (len(made.vertices), 1)))


@pytest.mark.parametrize("seed", range(8))
def test_an_object_stays_closed_and_in_its_sphere(seed):
    parts = varied([box()], [CHECKS], np.random.default_rng(seed))
    whole = welded(geometry(parts))
    assert is_watertight(whole.faces)
    assert np.linalg.norm(whole.vertices, axis=1).max() == pytest.approx(FILL * OBJECT_RADIUS, rel=1e-5)
    assert trimesh.Trimesh(whole.vertices, whole.faces, process=False).volume > 0  # not turned inside out


def test_the_same_draw_gives_the_same_object_and_another_another():
    first, again, other = (
        geometry(varied([box()], [CHECKS], np.random.default_rng(seed))).vertices for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or np.abs(first - other).max() > 0.01


def test_prints_are_put_on_some_plain_colours_and_only_where_there_are_prints():
    made = [varied([box()], [CHECKS], np.random.default_rng(seed)) for seed in range(40)]
    printed = [any(isinstance(part, TexturedMesh) for part in parts) for parts in made]
    assert 8 < sum(printed) < 36
    for parts in (parts for parts, is_printed in zip(made, printed) if is_printed):
        for part in parts:
            assert np.ptp(part.uvs, axis=0).min() > 0.05  # the print is spread over the surface
    plain = [varied([box()], [], np.random.default_rng(seed)) for seed in range(10)]
    assert all(isinstance(part, Mesh) for parts in plain for part in parts)


def test_each_plain_colour_is_a_piece_of_its_own():
    two = box()
    colors = two.colors.copy()
    corners = two.faces[two.vertices[two.faces].mean(1)[:, 2] > 0.149].ravel()  # the front, whose rim is shared
    colors[corners] = (30, 30, 200)
    mesh = Mesh(two.vertices[two.faces].reshape(-1, 3), np.arange(3 * len(two.faces)).reshape(-1, 3),
                colors[two.faces[:, :1].repeat(3, 1)].reshape(-1, 3))  # fmt: skip
    made = [varied([mesh], [CHECKS], np.random.default_rng(seed)) for seed in range(20)]
    assert {len(parts) for parts in made} == {1, 2}
    assert all(sum(len(geometry([part]).faces) for part in parts) == len(mesh.faces) for parts in made)
