"""What the worker makes of a text; and the picture's camera in viewers' words, against the project's own orbit."""

import io
import signal

import numpy as np
import pytest
from PIL import Image
from tiny_text_model import tiny_text_model

from zero123pp.cameras import orbit_camera
from zero123pp.images import encode_png
from zero123pp.pipelines.server.maker import Maker, orbit_of
from zero123pp.pipelines.server.settings import ServerSettings
from zero123pp.pipelines.server.work import CANCEL, Work
from zero123pp.types import Camera


@pytest.fixture
def maker(tmp_path):
    """Of a server that draws from texts; it listens to a signal, which is given back."""
    pytest.importorskip("diffusers", reason="the extra diffusion")
    before = signal.getsignal(CANCEL)
    yield Maker(ServerSettings(text_model=str(tiny_text_model(tmp_path / "text")), device="cpu"))
    signal.signal(CANCEL, before)


def test_a_text_becomes_the_picture_whose_outline_can_be_corrected(maker):
    """Random weights draw no object, so its outline is given; what can be asked is that text and seed decide."""
    told, made = [], {}
    mask = encode_png(np.pad(np.full((16, 16), 255, np.uint8), 8))
    maker.tell = told.append
    for prompt, seed in (("a robot", 1), ("a robot", 1), ("a house", 1), ("a robot", 2)):
        outcome = maker(Work("", "cutout", pictures={"mask": mask}, prompt=prompt, seed=seed))
        assert outcome.kind == "done", outcome.reason
        picture = Image.open(io.BytesIO(outcome.files["picture.jpg"]))
        assert picture.size == Image.open(io.BytesIO(outcome.files["alpha.png"])).size
        made.setdefault((prompt, seed), []).append(outcome.files["picture.jpg"])
    assert made["a robot", 1][0] == made["a robot", 1][1]
    assert len({files[0] for files in made.values()}) == 3
    assert {"picture", "cutout"} <= {each.stage for each in told}


@pytest.mark.quick
@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (30, 20), (-100, -35), (170, 80)])
def test_an_orbit_camera_comes_back(azimuth, elevation):
    found = orbit_of(orbit_camera(azimuth, elevation, 2.1, 30.0, 64))
    expected = {"azimuth": azimuth, "elevation": elevation, "distance": 2.1, "roll": 0, "fov": 30}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert found["target"] == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.quick
@pytest.mark.parametrize("roll", [-40.0, 15.0])
def test_a_camera_turned_clockwise_has_that_roll(roll):
    """Its right side, turned clockwise as the camera sees itself, points down."""
    camera = orbit_camera(20, 10, 2.0, 40.0, 64)
    angle = np.radians(roll)
    turned = np.array(camera.world_from_cam, float)
    right, down = camera.world_from_cam[:3, 0], camera.world_from_cam[:3, 1]
    turned[:3, 0] = np.cos(angle) * right + np.sin(angle) * down
    turned[:3, 1] = np.cos(angle) * down - np.sin(angle) * right
    rolled = Camera(turned, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
    assert orbit_of(rolled)["roll"] == pytest.approx(roll, abs=1e-6)


@pytest.mark.quick
def test_a_camera_that_looks_past_the_origin_has_the_nearest_point_of_its_axis_as_target():
    camera = orbit_camera(0, 0, 2.0, 40.0, 64)
    moved = np.array(camera.world_from_cam, float)
    moved[:3, 3] += [0.1, 0.2, 0]
    found = orbit_of(Camera(moved, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height))
    assert found["target"] == pytest.approx([0.1, 0.2, 0], abs=1e-6) and found["distance"] == pytest.approx(2.0)
