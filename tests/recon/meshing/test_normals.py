import numpy as np
from shapes import icosphere

from zero123pp.cameras import orbit_camera, pixel_rays, view_from_world
from zero123pp.recon.meshing.normals import smooth_normals
from zero123pp.recon.render import render
from zero123pp.types import Mesh, TexturedMesh

CAMERA = orbit_camera(40, -15, 1.8660254, 30, 96)


def test_smooth_normals_of_a_sphere_point_outward():
    sphere = icosphere(4)
    asset = TexturedMesh(
        sphere, np.zeros((len(sphere.vertices), 2)), np.zeros((2, 2, 3), np.uint8), smooth_normals(sphere)
    )
    view = render(asset, CAMERA)
    covered = view.depth > 0
    origin, rays = pixel_rays(CAMERA)
    forward = CAMERA.world_from_cam[:3, 2]
    points = origin + rays[covered] * (view.depth[covered] / (rays[covered] @ forward))[:, None]
    outward = points / np.linalg.norm(points, axis=-1, keepdims=True)
    cosine = (view.normal[covered] * (outward @ view_from_world(CAMERA).T)).sum(-1)
    assert cosine.min() > 0.999
    assert view.normal[covered][:, 2].min() > 0  # towards the viewer


def test_smooth_normals_ignore_triangulation_and_seams():
    """A cube corner has the same normal however its sides are cut, and copies of a vertex share it."""
    import trimesh

    cube = trimesh.creation.box((1, 1, 1))
    mesh = Mesh(cube.vertices, cube.faces.astype(np.int32))
    expected = np.sign(mesh.vertices) / np.sqrt(3)
    assert np.allclose(smooth_normals(mesh), expected, atol=1e-6)
    split = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size).reshape(-1, 3))
    assert np.allclose(smooth_normals(split), expected[mesh.faces].reshape(-1, 3), atol=1e-6)
