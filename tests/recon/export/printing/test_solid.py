"""Solids for a printer: thick walls, a flat base, closed; and what is not touched."""

from functools import cache

import numpy as np
import pytest
from plain_solids import ball, box, rod, tube

from zero123pp.errors import BadInput
from zero123pp.recon.export.printing import check_wall, measured, printable, solid
from zero123pp.recon.meshing import is_sound, topology
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

WALL = 0.0012
SOLIDS = {
    "plate": box(0.02, 0.02, 0.0005),
    "tube": tube(0.006, 0.0006, 0.01),
    "rod": rod(0.0004, 0.02),
    "lying rod": rod(0.0004, 0.02, lies=True),
    "ball": ball(0.01),
}


@cache
def printed(name):
    return printable(SOLIDS[name], WALL, colors=False)


@pytest.mark.parametrize("name", SOLIDS)
def test_what_comes_out_is_closed_and_thick_and_stands(name):
    done = printed(name)
    assert is_sound(done.mesh)
    after = np.minimum(measured(done.mesh, WALL).thickness, WALL)
    assert np.quantile(after, 0.1) > 0.9 * WALL and after.min() > 0.6 * WALL, "thinnest at the rim that the bed cuts"
    low = done.mesh.vertices[:, 1].min()
    lies = np.abs(done.mesh.vertices[:, 1] - low) < 1e-7
    assert lies.sum() >= 3 and done.base_area > 0.5e-6


@pytest.mark.parametrize(("name", "thickness"), [("plate", 0.0005), ("tube", 0.0006), ("rod", 0.0008)])
def test_it_tells_the_thinnest_wall_and_how_much_is_thin(name, thickness):
    done = printed(name)
    assert done.thinnest == pytest.approx(thickness, rel=0.08) and done.thin_share > 0.9
    assert done.cut == 0


def test_a_plate_grows_to_the_wall_and_no_farther():
    plate = printed("plate").mesh
    spread = np.abs(plate.vertices[:, 2])
    assert WALL / 2 < np.median(spread) < 1.2 * WALL / 2 and spread.max() < WALL
    assert np.ptp(plate.vertices[:, 0]) < 0.02 + 1.1 * WALL


def test_a_thick_solid_that_stands_already_is_not_touched():
    cube = box(0.01, 0.01, 0.01)
    done = printable(cube, WALL, colors=False)
    assert (done.thinnest, done.thin_share, done.cut) == (np.inf, 0, 0)
    assert done.base_area == pytest.approx(1e-4) and topology.signed_volume(done.mesh) == pytest.approx(1e-6)


def test_a_ball_is_cut_half_a_wall_above_its_lowest_point():
    done = printed("ball")
    assert done.cut == pytest.approx(WALL / 2) and done.mesh.vertices[:, 1].min() == pytest.approx(done.cut, rel=1e-3)
    assert done.base_area == pytest.approx(np.pi * (2 * 0.01 * done.cut - done.cut**2), rel=0.2)  # of a polygon


def test_colors_come_from_the_nearest_place_of_the_asset(monkeypatch):
    """A cube, dark below and light above, as vertex colours and as a texture."""
    monkeypatch.setattr(solid, "_DETAIL", 20)
    cube = box(0.01, 0.01, 0.01)
    flat = cube.vertices[cube.faces].reshape(-1, 3)
    own = Mesh(
        flat, np.arange(len(flat)).reshape(-1, 3), np.where(flat[:, 1:2] > 0.005, [[250, 240, 0]], [[9, 9, 200]])
    )
    uvs = np.column_stack([np.repeat(np.arange(12), 3) / 12 + np.tile([0.01, 0.07, 0.04], 12), flat[:, 1] * 90 + 0.05])
    texture = np.zeros((128, 256, 3), np.uint8)
    texture[:64], texture[64:] = [250, 240, 0], [9, 9, 200]
    for asset in (own, TexturedMesh(Mesh(own.vertices, own.faces), uvs, texture)):
        mesh = printable(asset, WALL).mesh
        low, high = mesh.vertices[:, 1] < 0.0005, mesh.vertices[:, 1] > 0.0095
        assert (mesh.colors[low] == [9, 9, 200]).all() and (mesh.colors[high] == [250, 240, 0]).all()


def test_an_open_surface_is_refused():
    cube = box(0.01, 0.01, 0.01)
    with pytest.raises(BadInput, match="closed"):
        printable(Mesh(cube.vertices, cube.faces[1:]), WALL)


@pytest.mark.parametrize("wall", [0.0004, 0.06])
def test_walls_that_cannot_be_are_refused_with_the_range(wall):
    with pytest.raises(BadInput, match=r"expected 0.5 to 50 mm for an object of 100 mm"):
        check_wall(wall, 0.1)
