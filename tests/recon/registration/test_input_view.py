"""The input picture finds its camera, and is refused where it shows something else."""

from dataclasses import replace

import numpy as np
import pytest
from toy import toy_mesh

from zero123pp.cameras import orbit_camera, project
from zero123pp.errors import ConfigError
from zero123pp.recon.registration.input_view import RegisterConfig, register_input_view
from zero123pp.recon.render import render
from zero123pp.types import Camera, Mesh


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    """A closed figure, painted by position."""
    toy = toy_mesh(64)
    low, high = toy.vertices.min(0), toy.vertices.max(0)
    colors = 255 * (0.1 + 0.8 * (toy.vertices - low) / (high - low))
    return Mesh(toy.vertices, toy.faces, colors.astype(np.uint8))


def camera_of(elevation: float, distance: float, zoom: float, shift: tuple[float, float], size: int = 256) -> Camera:
    """At azimuth 0; ``zoom`` is the focal length in sides of the picture over distance."""
    seen = orbit_camera(0, elevation, distance, 30, size)
    focal = zoom * distance * size
    return replace(seen, fx=focal, fy=focal, cx=(0.5 + shift[0]) * size, cy=(0.5 + shift[1]) * size)


def picture(mesh: Mesh, camera: Camera) -> np.ndarray:
    view = render(mesh, camera)
    return np.dstack([view.rgb, view.alpha]).astype(np.float32)


@pytest.mark.parametrize(
    ("elevation", "distance", "zoom", "shift"),
    [(17, 2.0, 0.8, (0.03, -0.02)), (-8, 1.4, 0.7, (0, 0.05)), (38, 4, 0.9, (0, 0))],
)
def test_a_picture_finds_its_camera(mesh, elevation, distance, zoom, shift):
    camera = camera_of(elevation, distance, zoom, shift)
    view, said = register_input_view(picture(mesh, camera), mesh)
    assert view is not None and said["used"]
    assert said["elevation_deg"] == pytest.approx(elevation, abs=2)
    assert said["azimuth_deg"] == pytest.approx(0, abs=2)
    at, _ = project(view.camera, mesh.vertices)
    true, _ = project(camera, mesh.vertices)
    assert np.sqrt(((at - true) ** 2).sum(-1).mean()) < 0.008 * camera.width


def test_the_view_is_the_picture_itself(mesh):
    rgba = picture(mesh, camera_of(10, 2, 0.8, (0, 0)))
    seen = []
    view, _ = register_input_view(rgba, mesh, RegisterConfig(confidence=0.4), progress=seen.append)
    assert np.array_equal(view.rgb, rgba[..., :3]) and np.array_equal(view.alpha, rgba[..., 3])
    assert view.confidence == 0.4
    assert len(seen) > 2 and sorted(seen) == seen and 0 < seen[0] and seen[-1] < 1


def test_a_picture_of_something_else_is_refused(mesh):
    """Of a flattened figure, and of the right outline in wrong colours."""
    camera = camera_of(10, 2, 0.8, (0, 0))
    flat = Mesh(mesh.vertices * np.float32([1, 0.4, 1]), mesh.faces, mesh.colors)
    view, said = register_input_view(picture(flat, camera), mesh)
    assert view is None and said["overlap"] < 0.93
    view, said = register_input_view(picture(Mesh(mesh.vertices, mesh.faces, 255 - mesh.colors), camera), mesh)
    assert view is None and not said["used"] and said["psnr_db"] < 15


def test_nothing_is_placed_where_there_is_nothing_or_by_wish(mesh):
    assert register_input_view(np.zeros((64, 64, 4), np.float32), mesh) == (None, {"used": False})
    rgba = picture(mesh, camera_of(10, 2, 0.8, (0, 0), 64))
    assert register_input_view(rgba, mesh, RegisterConfig(use="never")) == (None, {"used": False})


@pytest.mark.quick
@pytest.mark.parametrize("wrong", [{"distances": ()}, {"distances": (0.2,)}, {"elevations": (30.0, 10.0)}])
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="register"):
        RegisterConfig(**wrong)
