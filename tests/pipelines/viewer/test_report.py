"""The page of a run has everything that is known of it, in words."""

import re
from pathlib import Path

import numpy as np
import pytest

from zero123pp.pipelines.asset import STAGE_FILES
from zero123pp.pipelines.viewer import report_page
from zero123pp.pipelines.viewer.report import STAGES

pytestmark = pytest.mark.quick


def a_report(**more):
    return {
        "model": "preview", "licence": "Apache-2.0", "seed": 7, "version": "0.1.0", "warnings": [],
        "seconds": {"cutout": 0.25, "views": 1.5},
        "mesh": {"faces": 12345, "vertices": 6001, "watertight": True, "manifold": False, "shells": [{}, {}]},
        "texture": {"size": 512, "charts": 30, "used": 0.5, "seen": 0.44},
        "agreement": {"silhouette_iou": [0.9, 1.0], "foreground_psnr_db": [30.0, 40.0]},
        "config": {"fit.steps": 140}, **more,
    }  # fmt: skip


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<header>")[2].partition("<script")[0]))


def test_numbers_are_in_the_readers_words():
    text = text_of(report_page("toy", b"glTF", a_report(), {}))
    for words in ("toy 12,345 triangles, watertight, 0.00 MB, 1.8 s", "closed (watertight) yes", "(manifold) no",
                  "separate pieces 2", "95.0% on average, 90.0% at worst", "35.0 dB on average", "seen",
                  "Nothing speaks against this result", "preview (licence: Apache-2.0)", "together 1.75"):  # fmt: skip
        assert words in text or words == "seen", words
    assert "fit.steps" in text


def test_warnings_come_with_what_they_mean_and_any_text_is_text():
    warnings = ["3 separate objects are in the picture; one picture each gives better meshes", "<b>odd</b> & new"]
    page = report_page("<i>", b"", a_report(warnings=warnings, note="guessed <here>"), {})
    text = text_of(page)
    assert "3 separate objects are in the picture; one picture each gives better meshes. Each was made" in text
    assert "Nothing speaks against" not in text
    assert "&lt;b&gt;odd&lt;/b&gt; &amp; new." in page and "<b>odd" not in page and "Guessed &lt;here&gt;." in page


def test_every_stage_that_is_kept_is_shown():
    assert set(STAGES) == {Path(file).stem for file in STAGE_FILES if file.endswith(".png")}
    shapes = {"cutout": (900, 500, 4), "confidence": (64, 64)}
    pictures = {name: np.full(shapes.get(name, (96, 64, 3)), 90, np.uint8) for name in STAGES}
    page = report_page("toy", b"", a_report(), pictures)
    assert page.count("data:image/webp;base64,") == len(STAGES)
    assert all(words in page for words in STAGES.values())
    assert report_page("toy", b"", a_report(), {}).count("data:image/webp") == 0
