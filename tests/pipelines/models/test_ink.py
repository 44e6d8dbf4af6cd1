"""Ink round drawn figures is found and left out; nothing else is."""

import numpy as np
import pytest

from zero123pp.pipelines.models.ink import without_ink

pytestmark = pytest.mark.quick

PAINT, INK = np.float32([0.9, 0.6, 0.2]), np.float32([0.12, 0.1, 0.14])


def disc(line_px: float, paint: np.ndarray = PAINT) -> tuple[np.ndarray, np.ndarray]:
    """A painted disc with a line round it: rgb (200, 200, 3), alpha (200, 200)."""
    y, x = np.mgrid[:200, :200] + 0.5
    radius = np.hypot(x - 100, y - 100)
    rgb = np.where((radius > 80 - line_px)[..., None], INK, paint).astype(np.float32)
    return rgb, (radius < 80).astype(np.float32)


def test_a_drawn_line_gives_way_to_the_colour_inside_it():
    rgb, alpha = disc(line_px=4)
    np.testing.assert_allclose(without_ink(rgb, alpha), np.broadcast_to(PAINT, rgb.shape))


def test_drawing_inside_of_the_line_stays():
    rgb, alpha = disc(line_px=4)
    rgb[90:110, 90:110] = INK
    left = without_ink(rgb, alpha)
    np.testing.assert_array_equal(left[90:110, 90:110], rgb[90:110, 90:110])
    np.testing.assert_allclose(left[100, 175:182], np.broadcast_to(PAINT, (7, 3)))


@pytest.mark.parametrize(
    "rgb, alpha",
    [disc(0), disc(line_px=4, paint=INK), disc(line_px=30), (np.zeros((9, 9, 3), np.float32), np.zeros((9, 9)))],
    ids=["no line", "a dark object", "a broad dark band", "nothing"],
)  # fmt: skip
def test_a_picture_without_a_line_is_left_alone(rgb, alpha):
    np.testing.assert_array_equal(without_ink(rgb, alpha), rgb)
