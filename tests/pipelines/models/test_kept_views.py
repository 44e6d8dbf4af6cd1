"""A mesh that is painted from one picture or from views, through the whole pipeline."""

import numpy as np
import pytest
from shapes import icosphere

from zero123pp import ImageTo3D
from zero123pp.cameras import orbit_camera
from zero123pp.errors import BadInput, StageFailed
from zero123pp.images import to_uint8
from zero123pp.recon.render import render
from zero123pp.types import Mesh


@pytest.fixture(scope="module")
def egg() -> Mesh:
    """Longer than wide, with a bump, red above and blue below, somewhere else and larger than the frame."""
    ball = icosphere(4)
    places = ball.vertices * [0.6, 1, 0.6] * (1 + 0.3 * (ball.vertices @ [0.9, 0.3, 0.3] > 0.4))[:, None]
    colors = np.where((places[:, 1] > 0)[:, None], [200, 40, 30], [30, 60, 200]).astype(np.uint8)
    return Mesh(places * 40 + [3, 100, -7], ball.faces, colors)


@pytest.mark.parametrize("azimuth", [0, 110], ids=["the front", "another side"])
def test_a_mesh_is_painted_from_one_picture(egg, tmp_path, azimuth):
    from zero123pp.pipelines.models.depth_control import in_frame

    (framed,) = in_frame(egg)
    seen = render(framed, orbit_camera(azimuth, 15, 1.9, 30, 256))
    picture = to_uint8(np.dstack([seen.rgb, seen.alpha]))
    bare = Mesh(egg.vertices, egg.faces)
    asset = ImageTo3D.from_pretrained("preview", overrides=["texture.size=256"])(picture, texture_mesh=bare)
    asset.save(tmp_path / "painted.ply", axes="y-up", units="m")
    written = asset.own_geometry
    np.testing.assert_array_equal(written.mesh.vertices[written.mesh.faces], bare.vertices[bare.faces])
    again = render(asset.textured, orbit_camera(azimuth, 15, 1.9, 30, 128))
    back = render(asset.textured, orbit_camera(azimuth + 180, 0, 1.9, 30, 128))
    for shown in (again, back):  # red above, blue below, on the side that nobody saw as well
        inside = shown.alpha > 0.99
        top, bottom = inside[:40].nonzero(), inside[-40:].nonzero()
        assert (shown.rgb[:40][top] @ [1, 0, -1]).mean() > 0.3 > -0.3 > (shown.rgb[-40:][bottom] @ [1, 0, -1]).mean()


def test_a_picture_of_something_else_is_refused(egg):
    y, x = np.mgrid[:128, :128]
    bar = np.zeros((128, 128, 4), np.uint8)
    bar[(abs(y - 64) < 6) & (abs(x - 64) < 60)] = 255
    pipe = ImageTo3D.from_pretrained("preview")
    with pytest.raises(StageFailed, match="does not show the mesh"):
        pipe(bar, texture_mesh=egg)
    with pytest.raises(BadInput, match="no faces"):
        pipe(bar, texture_mesh=Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int32)))
