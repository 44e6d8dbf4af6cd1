"""The comparison of unwrappers: stretch in closed form, failures as rows."""

import importlib.util
import sys

import numpy as np
import pytest
from paths import ROOT
from shapes import icosphere

SQUARE = np.array([[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]], float)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("benchmark_unwrap", ROOT / "benchmarks" / "unwrap.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("mirrored", [1, -1])
def test_an_even_map_has_no_stretch_at_any_scale(script, mirrored):
    found = script.stretch(SQUARE, SQUARE[..., :2] * (37.0 * mirrored, 37.0))
    assert found == pytest.approx({"L2": 1, "Linf": 1, "angles": 1, "areas": 1, "flat": 0})


def test_a_squeezed_map_has_its_closed_form(script):
    """Half as wide: singular values 2 and 1 over an atlas of half the area."""
    found = script.stretch(SQUARE, SQUARE[..., :2] * (0.5, 1))
    assert found == pytest.approx({"L2": np.sqrt(5 / 4), "Linf": np.sqrt(2), "angles": 2, "areas": 1, "flat": 0})


def test_shares_of_the_atlas_and_lost_faces_are_counted(script):
    corners = np.concatenate([SQUARE[:1], SQUARE[:1] + np.array([5, 0, 0]), SQUARE[1:]])
    texels = np.stack([SQUARE[0, :, :2], 2 * SQUARE[0, :, :2], np.zeros((3, 2))])
    found = script.stretch(corners, texels)
    # Two equal triangles with 1/5 and 4/5 of the atlas; the third has no place in it.
    assert found["flat"] == 1 and found["angles"] == pytest.approx(1)
    assert found["areas"] == pytest.approx((2.5 + 1.6) / 2)


def test_both_methods_are_measured_alike(script):
    pytest.importorskip("xatlas")
    ball = icosphere(3)
    for method in script.METHODS.values():
        found = script.measured(method, ball)
        assert found["overlaps"] == 0 and 0.3 < found["fill"] < 1 and 1 <= found["L2"] < 1.2
        assert set(found) == set(script.COLUMNS)


def test_the_page_counts_failures(script):
    args = type("Args", (), {"count": 1, "faces": 9, "large_count": 0, "large_faces": 0})
    found = dict.fromkeys(script.COLUMNS, 1.0)
    lines = script.page([(9, "a", 9, "ours", found), (9, "a", 9, "xatlas", "the process ended with -11")], args)
    assert any("| ours |" in line and line.endswith("| 0 |") for line in lines)
    assert any("| xatlas |" in line and line.endswith("| 1 |") for line in lines)
    assert "| a | 9 | xatlas | the process ended with -11 |" in lines
