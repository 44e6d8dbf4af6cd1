"""The evaluation: oracles for its numbers, its files, and analytic objects through the whole reconstruction."""

import csv

import numpy as np
import pytest

from zero123pp.errors import BadInput
from zero123pp.pipelines.commands import cli
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, Protocol, TrueObject, measure_topology
from zero123pp.pipelines.evaluation.report import mean_row, results_folder, to_csv, to_markdown
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.meshing.parts import load_normalised
from zero123pp.rigs import RIGS
from zero123pp.types import Mesh

SPHERE = PROTOCOLS["sphere"]


def painted(mesh: object) -> object:
    """A smooth pattern over positions, so that pictures have something to match."""
    mesh.visual.vertex_colors = np.round(127 + 110 * np.sin(18 * mesh.vertices / mesh.scale)).astype(np.uint8)
    return mesh


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """A folder with a ball and a box of known shape, away from the origin and of other sizes."""
    import trimesh

    folder = tmp_path_factory.mktemp("meshes")
    box = trimesh.creation.box((3, 2, 1.6))
    for _ in range(5):
        box = box.subdivide()
    painted(trimesh.creation.icosphere(5, 0.2)).apply_translation([5, 0, 1]).export(folder / "ball.glb")
    painted(box).apply_translation([0, -9, 0]).export(folder / "box.glb")
    (folder / "notes.txt").write_text("not a mesh")
    return folder


# --- numbers


def test_held_out_cameras_are_none_of_a_rigs_and_see_the_whole_sphere():
    held_out = SPHERE.cameras()
    assert len(held_out) == 12
    for rig in RIGS.values():
        for camera in rig.cameras():
            towards = camera.world_from_cam[:3, 2]
            assert max(towards @ other.world_from_cam[:3, 2] for other in held_out) < np.cos(np.deg2rad(9))
    for camera in held_out:
        assert np.linalg.norm(camera.world_from_cam[:3, 3]) == pytest.approx(RIGS["v1.2"].distance)


def test_the_truth_itself_gets_the_best_marks(meshes):
    parts = load_normalised(meshes / "box.glb")
    truth = TrueObject(parts, SPHERE)
    surface = truth.measure_surface(parts[0])
    assert surface["CD"] < 0.006  # what is left is the spacing of the samples, sqrt(area / points) = 0.009
    assert surface["F0.02"] > 0.999 and surface["IoU"] == 1
    assert surface["NC"] > 0.98 and surface["NC_both"] > 0.98
    pictures = truth.measure_pictures(parts[0])
    assert pictures == {"PSNR": float("inf"), "SSIM": pytest.approx(1)}


def test_distances_are_in_units_of_a_sphere_of_radius_one(meshes):
    parts = load_normalised(meshes / "ball.glb")
    truth = TrueObject(parts, SPHERE)
    assert np.linalg.norm(truth.mesh.vertices, axis=1).max() == pytest.approx(0.97)
    smaller = Mesh(parts[0].vertices * 0.9, parts[0].faces)
    surface = truth.measure_surface(smaller)
    assert surface["CD"] == pytest.approx(0.097, abs=0.002)
    assert surface["IoU"] == pytest.approx(0.9**3, abs=0.01)


def test_a_worse_reconstruction_gets_worse_marks(meshes):
    parts, rng = load_normalised(meshes / "ball.glb"), np.random.default_rng(0)
    truth = TrueObject(parts, Protocol("small", points=10_000, grid=32, picture_px=128))

    def marks(roughness: float) -> dict[str, float]:
        vertices = parts[0].vertices
        rough = parts[0].with_vertices(vertices + rng.normal(0, roughness, vertices.shape))
        return truth.measure_surface(rough) | truth.measure_pictures(rough)

    slightly, badly = marks(0.003), marks(0.02)
    assert slightly["CD"] < badly["CD"]
    for name in ("F0.01", "F0.02", "IoU", "NC", "NC_both", "PSNR", "SSIM"):
        assert slightly[name] > badly[name], name


def test_topology_is_judged_as_welding_readers_see_it(meshes):
    box = load_normalised(meshes / "box.glb")[0]
    closed = {"watertight": 1, "manifold": 1, "components": 1, "faces": len(box.faces)}
    assert measure_topology(box) == closed
    assert measure_topology(Mesh(box.vertices, box.faces[1:]))["watertight"] == 0


# --- files


def test_meshes_are_found_by_suffix_and_pattern(meshes):
    assert [path.name for path in find_meshes(meshes)] == ["ball.glb", "box.glb"]
    assert [path.name for path in find_meshes(meshes, ["b*x"])] == ["box.glb"]
    assert [path.name for path in find_meshes(meshes / "ball.glb")] == ["ball.glb"]
    for folder, only in ((meshes, ["cow"]), (meshes / "missing", None), (meshes / "notes.txt", None)):
        with pytest.raises(BadInput, match="no meshes"):
            find_meshes(folder, only)


def test_means_leave_out_what_is_not_a_number():
    mean = mean_row([{"object": "a", "CD": 1.0, "IoU": float("nan")}, {"object": "b", "CD": 3.0, "IoU": 0.5}])
    assert mean == {"object": "MEAN", "CD": 2.0, "IoU": 0.5}


def test_tables_hold_every_object_and_every_failure():
    rows = [{"object": "cow", "CD": 0.01234, "IoU": float("nan"), "watertight": 1.0}]
    table = list(csv.DictReader(to_csv(rows).splitlines()))
    assert [row["object"] for row in table] == ["cow", "MEAN"]
    assert float(table[0]["CD"]) == pytest.approx(0.01234)
    page = to_markdown("Title", rows, {"mug": "the hull is empty"}, ["a note"], picture="x.png")
    for text in (
        "# Title",
        "- a note",
        "| cow | 0.0123 | - | 1 |",
        "1 of 2 objects failed",
        "mug: the hull is empty",
        "x.png",
    ):
        assert text in page


def test_a_place_that_cannot_hold_results_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--out"):
        results_folder(tmp_path / "file" / "results")


# --- the whole way


@pytest.fixture(scope="module")
def results(meshes, tmp_path_factory):
    """A run of the command line over both objects."""
    out = tmp_path_factory.mktemp("results")
    code = cli.main(["eval", "recon", "--meshes", str(meshes), "--out", str(out), "--preset", "fast"])
    rows = {row["object"]: row for row in csv.DictReader((out / "v1.2_clean_fast.csv").read_text().splitlines())}
    return code, out, rows


def test_analytic_objects_come_back(results):
    code, _, rows = results
    assert code == 0
    assert set(rows) == {"ball", "box", "MEAN"}
    for name in ("ball", "box"):
        row = {key: float(value) for key, value in rows[name].items() if key != "object"}
        assert row["CD"] < 0.02, name
        assert row["F0.05"] > 0.95, name
        assert row["IoU"] > 0.92, name
        assert row["NC"] > 0.93, name
        assert row["PSNR"] > 24 and row["SSIM"] > 0.9, name
        assert row["watertight"] == row["manifold"] == row["components"] == 1, name
        assert row["fit_cpu"] > 0 and row["texture_cpu"] > 0 and row["peak_mb"] > 50


def test_a_picture_finds_its_place_among_the_views(meshes, tmp_path):
    arguments = ["--meshes", str(meshes), "--only", "box", "--out", str(tmp_path), "--preset", "fast", "--with-picture"]
    assert cli.main(["eval", "recon", *arguments]) == 0
    (row, _) = csv.DictReader((tmp_path / "v1.2_clean_picture_fast.csv").read_text().splitlines())
    assert float(row["registered"]) == 1 and float(row["elevation_error"]) < 3
    assert float(row["front_PSNR"]) > 22


def test_a_run_leaves_a_page_and_a_contact_sheet(results):
    from PIL import Image

    _, out, _ = results
    assert sorted(path.name for path in out.iterdir()) == [f"v1.2_clean_fast.{kind}" for kind in ("csv", "md", "png")]
    page = (out / "v1.2_clean_fast.md").read_text()
    assert "run.py eval recon --meshes" in page and "--preset fast" in page
    assert "| ball |" in page and "| box |" in page
    sheet = np.asarray(Image.open(out / "v1.2_clean_fast.png").convert("RGB"))
    assert sheet.shape[1] > 16 * 88 and sheet.std() > 10


def test_an_unknown_rig_is_bad_usage(meshes, tmp_path, capsys):
    code = cli.main(["eval", "recon", "--meshes", str(meshes), "--out", str(tmp_path), "--rig", "v9"])
    assert code == cli.EXIT_BAD_INPUT
    assert "v9" in capsys.readouterr().err
