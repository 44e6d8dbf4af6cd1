"""The records refuse what does not fit and cannot be changed."""

import pickle

import numpy as np
import pytest

from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput
from zero123pp.types import Camera, Cutout, Mesh, MultiView, View

CAMERA = orbit_camera(0, 0, 2, 30, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Camera(np.eye(3), 1, 1, 1, 1, 2, 2), r"\(3, 3\)"),
        (lambda: Camera(2 * np.eye(4), 1, 1, 1, 1, 2, 2), "rigid"),
        (lambda: Camera(np.eye(4), 0, 1, 1, 1, 2, 2), "positive"),
        (lambda: Cutout(np.zeros((4, 5, 4), np.uint8)), "5x4"),
        (lambda: View(np.zeros((4, 5, 3)), np.zeros((4, 4)), CAMERA), r"\(4, 5, 3\)"),
        (lambda: MultiView((), "none"), "at least one"),
        (lambda: Mesh(np.zeros((2, 3)), np.array([[0, 1, 2]])), r"0\.\.2"),
        (lambda: Mesh(np.zeros((3, 3)), np.array([[0, 1, 2.0]])), "float64"),
    ],
)
def test_records_name_what_is_wrong(make, message):
    with pytest.raises(BadInput, match=message):
        make()


def test_records_are_read_only_and_pickle():
    view = View(np.zeros((4, 4, 3)), np.ones((4, 4)), CAMERA)
    with pytest.raises(ValueError):
        view.alpha[0, 0] = 0.5
    again = pickle.loads(pickle.dumps(view))
    np.testing.assert_array_equal(again.camera.world_from_cam, CAMERA.world_from_cam)
    assert again.rgb.dtype == np.float32
