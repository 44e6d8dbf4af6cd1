"""A mesh as a depth sheet: against an independent ray cast, in the published scale, in the rig's frame."""

import numba
import numpy as np
import pytest
from toy import toy_mesh

from zero123pp.errors import BadInput
from zero123pp.images import untile_sheet
from zero123pp.pipelines.models.depth_control import depth_picture, depth_sheet, in_frame, linear_depth
from zero123pp.recon.meshing.parts import geometry, load_normalised
from zero123pp.rigs import RIGS
from zero123pp.types import Mesh


def cast_rays(vertices, faces, camera):
    """Nearest hits along the depth axis by Moeller and Trumbore, in double precision, sharing no code with ours.

    Triangles are visited one by one; each is tried against the pixels of the box round its projection.
    """
    pose = np.asarray(camera.world_from_cam)
    corners = ((vertices - pose[:3, 3]) @ pose[:3, :3])[faces]
    depth = np.full((camera.height, camera.width), np.inf)
    px = corners[..., :2] / corners[..., 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    low = np.floor(px.min(1) - 1).astype(int).clip(0)
    high = np.ceil(px.max(1) + 1).astype(int).clip(0, (camera.width, camera.height))
    _visit(corners, low, high, camera.fx, camera.fy, camera.cx, camera.cy, depth)
    return np.where(np.isfinite(depth), depth, 0.0)


@numba.njit
def _visit(corners, low, high, fx, fy, cx, cy, depth):
    for f in range(len(corners)):
        a = corners[f, 0]
        ab, ac = corners[f, 1] - a, corners[f, 2] - a
        q = np.cross(-a, ab)
        for row in range(low[f, 1], high[f, 1]):
            for column in range(low[f, 0], high[f, 0]):
                d = np.array([(column + 0.5 - cx) / fx, (row + 0.5 - cy) / fy, 1.0])
                p = np.cross(d, ac)
                det = (p * ab).sum()
                if det == 0:
                    continue
                u, v, t = -(p * a).sum() / det, (d * q).sum() / det, (ac * q).sum() / det
                if u >= 0 and v >= 0 and u + v <= 1 and 0 < t < depth[row, column]:
                    depth[row, column] = t


def published_picture(depth):
    """The published normalisation, written from its description."""
    mask = depth > 0.001
    scaled = (depth - depth[mask].min()) / (depth[mask].max() - depth[mask].min() + 1e-9)
    gray = np.rint(scaled * 255).astype(int)
    return np.dstack([np.where(mask, gray, 0)] * 3 + [mask * 255])


@pytest.mark.parametrize("rig", RIGS)
def test_the_toy_is_pixel_exact(rig):
    mesh = toy_mesh(48)
    sheet = untile_sheet(depth_sheet(mesh, rig, 96))
    for tile, camera in zip(sheet, RIGS[rig].cameras(96)):
        want = published_picture(cast_rays(mesh.vertices.astype(np.float64), mesh.faces, camera))
        np.testing.assert_array_equal(tile, want)


def test_a_scanned_mesh_is_pixel_exact_at_full_size(shared):
    parts = load_normalised(shared / "bench" / "ycb_mug.glb")
    whole = geometry(parts)
    sheet = untile_sheet(depth_sheet(parts, "v1.1", 320))
    for tile, camera in zip(sheet, RIGS["v1.1"].cameras(320)):
        want = published_picture(cast_rays(whole.vertices.astype(np.float64), whole.faces, camera))
        assert want[..., 3].any()
        np.testing.assert_array_equal(tile, want)


def test_near_is_black_far_is_white_and_nothing_is_transparent():
    depth = np.zeros((4, 4))
    depth[1, 1:3] = 1.0, 3.0
    depth[2, 1] = 2.1
    picture = depth_picture(depth)
    assert picture[1, 1].tolist() == [0, 0, 0, 255] and picture[1, 2].tolist() == [255, 255, 255, 255]
    assert picture[2, 1].tolist() == [140, 140, 140, 255] and picture[0, 0].tolist() == [0, 0, 0, 0]
    assert not depth_picture(np.zeros((4, 4))).any()


def test_depth_is_the_distance_to_the_camera_plane():
    """A wall across the view: one depth everywhere, which a distance to the camera would not be."""
    camera = RIGS["v1.2"].cameras(32)[0]
    right, down, forward = np.asarray(camera.world_from_cam)[:3, :3].T
    corners = np.array([forward * 0.1 + a * right + b * down for a in (-3, 3) for b in (-3, 3)])
    depth = linear_depth(corners, np.array([[0, 1, 2], [2, 1, 3]]), camera)
    np.testing.assert_allclose(depth, RIGS["v1.2"].distance + 0.1, rtol=1e-6)


def test_a_mesh_in_the_frame_stays_and_any_other_is_fitted():
    mesh = toy_mesh(32)
    assert in_frame(mesh)[0] is mesh
    far = mesh.with_vertices(mesh.vertices * 40 + (5, -7, 3))
    (fitted,) = in_frame(far)
    assert 0.45 < np.linalg.norm(fitted.vertices, axis=1).max() <= 0.5
    np.testing.assert_array_equal(depth_sheet(far, "v1.2", 64).shape, (192, 128, 4))


@pytest.mark.parametrize(
    ("mesh", "message"),
    [
        ("nowhere.glb", "nowhere.glb"),
        (Mesh(np.zeros((3, 3)), np.zeros((0, 3), int)), "no faces"),
        (Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), "one point"),
    ],
)
def test_unusable_meshes(mesh, message):
    with pytest.raises(BadInput, match=message):
        depth_sheet(mesh, "v1.1", 64)
