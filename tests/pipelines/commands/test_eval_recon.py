"""``run.py eval recon``: analytic objects through the whole reconstruction, and the files of a run."""

import csv

import numpy as np
import pytest
from ball_and_box import write_ball_and_box

from zero123pp.pipelines.commands import cli


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    return write_ball_and_box(tmp_path_factory.mktemp("meshes"))


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
