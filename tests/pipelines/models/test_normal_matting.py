"""Matting by normals: parity with the published post-processing, and clear refusals."""

import numpy as np
import pytest
from paths import ROOT

from zero123pp.errors import BadInput
from zero123pp.pipelines.models.normal_matting import matte_from_normals, trimap

pytest.importorskip("pymatting")


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(ROOT / "tests" / "golden" / "outputs" / "matting.npz"))


def test_parity(golden):
    np.testing.assert_array_equal(trimap(golden["normal"] / 255 * 2 - 1), golden["trimap"])
    cutout, normals = matte_from_normals(golden["rgb"], golden["normal"])
    assert np.abs(cutout.astype(int) - golden["cutout"].astype(int)).max() <= 1
    assert np.abs(normals.astype(int) - golden["normal_out"].astype(int)).max() <= 1


def test_a_sphere_is_cut_out_where_its_normals_are():
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    inside = x**2 + y**2 < 0.5
    z = np.sqrt(np.clip(0.5 - x**2 - y**2, 0, None))
    normals = np.where(inside[..., None], np.stack([x, -y, z], -1) / np.sqrt(0.5), 0)
    picture = np.where(inside[..., None], (200, 60, 30), 127).astype(np.uint8)
    cutout, drawn = matte_from_normals(picture, np.round((normals / 2 + 0.5) * 255).astype(np.uint8))
    found = cutout[..., 3] > 127
    assert (found & inside).sum() / (found | inside).sum() > 0.98
    assert np.abs(cutout[found][:, :3].astype(int) - (200, 60, 30)).mean() < 4
    length = np.linalg.norm(drawn / 255.0 * 2 - 1, axis=-1)
    assert abs(length[48, 48] - 1) < 0.02 and length[2, 2] < 0.02


@pytest.mark.parametrize(
    ("normals", "message"),
    [
        (np.full((64, 64, 3), 127, np.uint8), "no object"),
        (np.full((64, 64, 3), 255, np.uint8), "no background"),
        (np.zeros((32, 64, 3), np.uint8), "same"),
    ],
)
def test_normals_that_do_not_belong_are_refused(normals, message):
    with pytest.raises(BadInput, match=message):
        matte_from_normals(np.full((64, 64, 3), 127, np.uint8), normals)
