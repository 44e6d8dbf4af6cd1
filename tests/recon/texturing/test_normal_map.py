"""Normal maps: a coarse surface that carries one is shaded as the fine one, through the file as well."""

import numpy as np
from shapes import box, icosphere

from zero123pp.cameras import orbit_camera
from zero123pp.recon.meshing import CleanConfig, clean, smooth_normals
from zero123pp.recon.render import render
from zero123pp.recon.texturing import TextureConfig, texture, with_normal_map
from zero123pp.recon.texturing.normal_map import normals_of
from zero123pp.types import Mesh, TexturedMesh, View

CAMERAS = [orbit_camera(azimuth, 20, 2.2, 30, 128) for azimuth in (0, 90, 180, 270)]


def wavy(subdivisions: int = 5) -> Mesh:
    ball = icosphere(subdivisions)
    x, y, z = ball.vertices.T * 20
    return ball.with_vertices(ball.vertices * (1 + 0.03 * np.sin(x + 0.3) * np.cos(y) * np.cos(z))[:, None])


def plain(mesh: Mesh) -> TexturedMesh:
    """Smoothly shaded."""
    return TexturedMesh(mesh, np.zeros((len(mesh.vertices), 2)), np.zeros((2, 2, 3), np.uint8), smooth_normals(mesh))


def with_atlas(mesh: Mesh, fine: Mesh | None = None) -> TexturedMesh:
    blank = View(np.zeros((8, 8, 3)), np.zeros((8, 8)), orbit_camera(0, 0, 2, 30, 8))
    made, report = texture(mesh, [blank], TextureConfig(size=512, normal_map=True), fine=fine)
    assert report["normal_map"] == (fine is not None)
    return made


def degrees_off(one: TexturedMesh, other: TexturedMesh) -> float:
    """Mean angle between the shaded normals of both, from four sides."""
    found = []
    for camera in CAMERAS:
        a, b = render(one, camera), render(other, camera)
        both = (a.depth > 0) & (b.depth > 0)
        found.append(np.degrees(np.arccos(np.clip((a.normal[both] * b.normal[both]).sum(-1), -1, 1))))
    return float(np.concatenate(found).mean())


def test_few_triangles_are_shaded_like_many():
    fine = wavy()
    coarse, _ = clean(fine, CleanConfig(faces=800))
    bare, mapped = with_atlas(coarse), with_atlas(coarse, fine)
    assert bare.normal_map is None and bare.tangents is None
    without, with_map = degrees_off(bare, plain(fine)), degrees_off(mapped, plain(fine))
    assert without > 3 and with_map < 0.3 * without, (without, with_map)


def test_a_surface_on_itself_has_a_flat_map():
    ball = icosphere(4)
    made = with_atlas(ball, ball)
    assert np.abs(made.normal_map.astype(int) - [128, 128, 255]).max() <= 2
    assert degrees_off(made, plain(ball)) < 0.5


def test_a_map_is_handed_on_to_still_fewer_triangles():
    """The second baking sees the first one's map, not the triangles under it."""
    fine = wavy()
    middle = with_atlas(clean(fine, CleanConfig(faces=1500))[0], fine)
    coarse = with_atlas(clean(fine, CleanConfig(faces=500))[0])
    handed_on = with_normal_map(coarse, middle, 512)
    assert degrees_off(handed_on, plain(fine)) < 0.35 * degrees_off(coarse, plain(fine))


def test_the_other_side_of_a_thin_wall_is_not_taken():
    cube = box(0.6, 8)
    plate = cube.with_vertices(cube.vertices * np.float32([1, 1, 0.01]))
    inside = np.float32([[0.1, 0.1, 0.002], [0.1, 0.1, -0.002], [-0.2, 0, -0.0029]])
    asked = np.float32([[0, 0, -1], [0, 0, 1], [0, 0, 1]])
    assert (normals_of(plate)(inside, asked) * asked).sum(1).min() > 0.99


def test_what_has_nothing_near_it_keeps_its_normal():
    far = np.float32([[5, 5, 5], [-3, 0, 0]])
    asked = np.float32([[0, 0.6, 0.8], [1, 0, 0]])
    assert np.allclose(normals_of(icosphere(1))(far, asked), asked)


def test_the_nearest_point_is_that_of_all_triangles():
    """Against a search without a grid: the distance from points to a ball's triangles."""
    import trimesh

    ball = icosphere(2)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3))
    points *= (0.4 * rng.uniform(0.9, 1.1, 200) / np.linalg.norm(points, axis=1))[:, None]
    outward = points / np.linalg.norm(points, axis=1, keepdims=True)
    seen = normals_of(ball)(points.astype(np.float32), outward.astype(np.float32))
    _, _, face = trimesh.proximity.closest_point_naive(trimesh.Trimesh(ball.vertices, ball.faces), points)
    closest = trimesh.triangles.closest_point(ball.vertices[ball.faces[face]], points)
    weights = trimesh.triangles.points_to_barycentric(ball.vertices[ball.faces[face]], closest)
    want = (weights[..., None] * smooth_normals(ball)[ball.faces[face]]).sum(1)
    assert (seen * want / np.linalg.norm(want, axis=1, keepdims=True)).sum(1).min() > 1 - 1e-5
