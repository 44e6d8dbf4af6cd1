"""Protocols named after papers, alignments side by side, and the halves of a folder."""

import csv
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands import cli
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, TrueObject, get_protocol
from zero123pp.recon.meshing.parts import normalise
from zero123pp.types import Mesh


@pytest.fixture(scope="module")
def brick():
    """A box of sides 3:2:1.6 in the object's sphere, with vertex colours."""
    import trimesh

    mesh = trimesh.creation.box((3, 2, 1.6))
    for _ in range(4):
        mesh = mesh.subdivide()
    colors = np.round(127 + 110 * np.sin(6 * mesh.vertices)).astype(np.uint8)
    return normalise([Mesh(mesh.vertices, mesh.faces.astype(np.int32), colors)])


@pytest.mark.quick
def test_presets_have_the_numbers_of_their_papers():
    assert set(PROTOCOLS) == {"sphere", "syncdreamer", "crm", "instantmesh"}
    syncdreamer, crm, instantmesh = (get_protocol(name) for name in ("syncdreamer", "crm", "instantmesh"))
    assert (syncdreamer.size, syncdreamer.grid, syncdreamer.grid_half_side, syncdreamer.voxel) == (1, 64, 1, 0.01)
    assert len(syncdreamer.cameras()) == 16 and set(syncdreamer.elevations_deg) == {30}
    assert (crm.size, crm.threshold, crm.picture_px, len(crm.cameras())) == (1, 0.05, 512, 24)
    assert sorted(set(crm.elevations_deg)) == [0, 15, 30]
    assert (instantmesh.size, instantmesh.points, instantmesh.threshold) == (2, 16_000, 0.2)
    assert len(instantmesh.cameras()) == 21 and set(instantmesh.elevations_deg) == {30, 0, -30}
    for protocol in PROTOCOLS.values():
        assert protocol.threshold in protocol.thresholds
        assert len(protocol.azimuths_deg) == len(protocol.elevations_deg)
    with pytest.raises(BadInput, match="syncdreamer"):
        get_protocol("mine")


@pytest.fixture(scope="module")
def truth_of(brick):
    """Truth by protocol, with pictures of half the size, for speed."""
    return cache(lambda name: TrueObject(brick, replace(PROTOCOLS[name], picture_px=PROTOCOLS[name].picture_px // 2)))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_units_and_marks_of_the_truth_itself(brick, truth_of, name):
    truth = truth_of(name)
    extent = np.ptp(truth.mesh.vertices, axis=0).max()
    if PROTOCOLS[name].unit == "box":
        assert extent == pytest.approx(PROTOCOLS[name].size, rel=1e-5)
        np.testing.assert_allclose(truth.mesh.vertices.max(0), -truth.mesh.vertices.min(0), atol=1e-6)
    surface = truth.measure_surface(brick[0])
    assert surface["CD"] < 0.011 * extent and surface["IoU"] == 1 and surface["NC"] > 0.97
    assert surface[f"F{PROTOCOLS[name].threshold:g}"] > 0.99
    if name == "syncdreamer":
        assert truth.measure_pictures(brick[0])["PSNR"] == float("inf")
    # The object fills a good part of each picture, whichever unit the distance of the cameras is in.
    for picture in truth.pictures:
        assert 0.08 < np.mean(picture.min(-1) < 0.98) < 0.7


@pytest.mark.parametrize("name", PROTOCOLS)
def test_distances_scale_with_the_units(brick, truth_of, name):
    """Every side 2 % of the longest edge out: CD near that, in the protocol's unit, whatever the protocol."""
    truth = truth_of(name)
    extent = np.ptp(truth.mesh.vertices, axis=0).max()
    sides = np.ptp(brick[0].vertices, axis=0)
    grown = brick[0].with_vertices(brick[0].vertices * (1 + 0.04 * sides.max() / sides))
    assert truth.measure_surface(grown)["CD"] == pytest.approx(0.02 * extent, rel=0.3)


def test_alignment_takes_a_turn_out_of_the_marks(brick, truth_of):
    truth = truth_of("instantmesh")
    c, s = np.cos(0.6), np.sin(0.6)
    turned = brick[0].with_vertices(brick[0].vertices @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) * 0.9)
    none, yaw, icp = (truth.measure_surface(turned, align) for align in ("none", "yaw", "icp"))
    assert none["CD"] > 1.3 * yaw["CD"] > 1.3 * 1.3 * icp["CD"]
    assert none["IoU"] < yaw["IoU"] < icp["IoU"] and icp["IoU"] > 0.96


@pytest.mark.slow
def test_a_run_under_another_protocol(brick, tmp_path):
    import trimesh

    mesh = trimesh.Trimesh(brick[0].vertices, brick[0].faces, vertex_colors=brick[0].colors, process=False)
    mesh.export(tmp_path / "brick.glb")
    options = ["--rig", "v1.1", "--scale", "0.8", "--protocol", "instantmesh", "--align", "all", "--preset", "fast"]
    code = cli.main(["eval", "recon", "--meshes", str(tmp_path), "--out", str(tmp_path / "out"), *options])
    assert code == 0
    name = "v1.1_clean_scale0.8_instantmesh_fast"
    row = next(iter(csv.DictReader((tmp_path / "out" / f"{name}.csv").read_text().splitlines())))
    assert float(row["CD"]) < 0.05 and float(row["F0.2"]) > 0.98 and float(row["CD_icp"]) <= 1.05 * float(row["CD"])
    page = (tmp_path / "out" / f"{name}.md").read_text()
    assert "## Means by alignment" in page and "| icp |" in page and "InstantMesh" in page
    assert all(option in page for option in ("--rig v1.1", "--scale 0.8", "--protocol instantmesh", "--align all"))
