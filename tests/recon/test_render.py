import numpy as np
import pytest
from shapes import icosphere, painted

from zero123pp.cameras import orbit_camera, view_from_world
from zero123pp.errors import BadInput
from zero123pp.images import to_uint8
from zero123pp.recon.meshing.normals import face_normals
from zero123pp.recon.ops.raster import rasterize
from zero123pp.recon.render import UNPAINTED, render, render_picture
from zero123pp.types import Mesh, TexturedMesh

pytestmark = pytest.mark.quick

CAMERA = orbit_camera(40, -15, 1.8660254, 30, 96)


def quad(z: float = 0.0, size: float = 0.4) -> Mesh:
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * size + [0, 0, z]
    return Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]]))


def textured_quad(texture: np.ndarray, scale: float = 1.0) -> TexturedMesh:
    return TexturedMesh(quad(), np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * scale, texture)


def head_on(pixels: int) -> object:
    """A camera whose picture the quad of `quad` fills to the pixel."""
    from zero123pp.cameras import look_at
    from zero123pp.types import Camera

    return Camera(look_at(np.array([0, 0, 2.0])), pixels / 0.4, pixels / 0.4, pixels / 2, pixels / 2, pixels, pixels)


def test_texture_is_drawn_upright_and_bilinear():
    texture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    view = render(textured_quad(texture), head_on(8), supersample=1)
    assert (view.alpha == 1).all() and np.allclose(view.depth, 2)
    assert np.allclose(view.rgb * 255, texture, atol=1e-3)  # texel centres fall on pixel centres, top row first
    fine = render(textured_quad(texture), head_on(16), supersample=1).rgb * 255
    between = 0.75**2 * texture[2, 2] + 0.75 * 0.25 * (texture[2, 3] + texture[3, 2].astype(float))
    between = between + 0.25**2 * texture[3, 3]
    assert np.allclose(fine[5, 5], between, atol=0.01)


def test_texture_repeats_outside_the_unit_square():
    texture = np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8)
    view = render(textured_quad(texture, scale=2.0), head_on(8), supersample=1)
    assert np.allclose(view.rgb * 255, np.tile(texture, (2, 2, 1)), atol=1e-3)


def test_supersampling_is_the_premultiplied_mean():
    sphere = icosphere(3)
    mesh = Mesh(sphere.vertices, sphere.faces, to_uint8(painted(sphere.vertices)))
    fine = render(mesh, orbit_camera(40, -15, 1.8660254, 30, 96 * 3), supersample=1)
    view = render(mesh, CAMERA, supersample=3)
    blocks = lambda values: values.reshape(96, 3, 96, 3, -1).mean((1, 3))  # noqa: E731
    alpha = blocks(fine.alpha)[..., 0]
    assert np.allclose(view.alpha, alpha, atol=1e-6) and 0 < ((alpha > 0) & (alpha < 1)).mean() < 0.1
    mean = blocks(fine.rgb * fine.alpha[..., None])
    assert np.allclose(view.rgb * view.alpha[..., None], mean, atol=1e-5)
    # Straight alpha: colours at the outline are not darkened.
    rim = (alpha > 0) & (alpha < 0.5)
    assert view.rgb[rim].min() > 0.05 and view.rgb.max() <= 1 + 1e-6


def test_depth_and_normals_are_those_of_the_pixel_centres():
    sphere = icosphere(4)
    view = render(sphere, CAMERA, supersample=2)
    fragments = rasterize(sphere.vertices, sphere.faces, CAMERA)
    assert np.array_equal(view.depth, fragments.depth)
    expected = face_normals(sphere.vertices, sphere.faces)[fragments.face[fragments.covered]]
    assert np.allclose(view.normal[fragments.covered], expected @ view_from_world(CAMERA).T, atol=1e-5)
    assert not view.normal[~fragments.covered].any()


def test_back_faces_show_their_back():
    camera = orbit_camera(180, 0, 2.0, 30, 32)
    view = render(quad(), camera)
    assert view.alpha[16, 16] == 1 and np.allclose(view.normal[16, 16], [0, 0, 1], atol=1e-5)


def test_parts_hide_each_other_and_keep_their_own_look():
    red = textured_quad(np.full((2, 2, 3), (255, 0, 0), np.uint8))
    green = Mesh(quad(0.1, 0.1).vertices, quad().faces, np.full((4, 3), (0, 255, 0), np.uint8))
    plain = quad(-0.1, 0.9)
    for parts in ([red, green, plain], [plain, green, red]):
        view = render(parts, orbit_camera(0, 0, 2.0, 60, 64))
        assert np.allclose(view.rgb[32, 32], [0, 1, 0], atol=1e-5)
        assert np.allclose(view.rgb[32, 24], [1, 0, 0], atol=1e-5)
        assert np.allclose(view.rgb[32, 12], UNPAINTED, atol=1e-5)


def test_same_bytes_twice():
    sphere = icosphere(3)
    one, two = render(sphere, CAMERA), render(sphere, CAMERA)
    assert one.rgb.tobytes() == two.rgb.tobytes() and one.normal.tobytes() == two.normal.tobytes()


def test_nothing_to_render_is_refused():
    with pytest.raises(BadInput):
        render([], CAMERA)
    with pytest.raises(BadInput):
        render(quad(), CAMERA, supersample=0)
    empty = render(Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), CAMERA)
    assert not empty.alpha.any()


def test_a_picture_alone_is_that_of_the_whole_rendering():
    parts = [icosphere(2), textured_quad(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8))]
    whole, picture = render(parts, CAMERA), render_picture(parts, CAMERA)
    assert np.array_equal(picture.rgb, whole.rgb) and np.array_equal(picture.alpha, whole.alpha)
    assert picture.depth is None and picture.normal is None and whole.alpha.max() == 1
