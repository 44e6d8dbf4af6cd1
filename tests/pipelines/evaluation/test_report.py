"""Tables and pages of the evaluation."""

import csv

import pytest

from zero123pp.pipelines.commands import cli
from zero123pp.pipelines.evaluation.report import mean_row, to_csv, to_markdown

pytestmark = pytest.mark.quick


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


@pytest.fixture(scope="module")
def results(meshes, tmp_path_factory):
    """A run of the command line over both objects."""
    out = tmp_path_factory.mktemp("results")
    code = cli.main(["eval", "recon", "--meshes", str(meshes), "--out", str(out), "--preset", "fast"])
    rows = {row["object"]: row for row in csv.DictReader((out / "v1.2_clean_fast.csv").read_text().splitlines())}
    return code, out, rows


def test_alignments_stand_side_by_side():
    row = {"object": "cow", "CD": 0.03, "F0.2": 0.5, "PSNR": 20.0, "CD_yaw": 0.02, "F0.2_yaw": 0.6, "CD_icp": 0.01,
           "F0.2_icp": 0.7}  # fmt: skip
    page = to_markdown("T", [row], {}, [], ("none", "yaw", "icp"))
    for line in ("| none | 0.0300 | 0.500 |", "| yaw | 0.0200 | 0.600 |", "| icp | 0.0100 | 0.700 |"):
        assert line in page
    assert "| cow | 0.0300 | 0.500 | 20.00 |" in page
