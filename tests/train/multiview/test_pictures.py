"""Samples as pictures for each phase."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
from views_data import write_samples  # noqa: E402

from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.images import untile_sheet  # noqa: E402
from zero123pp.train.multiview.dataset import Pool  # noqa: E402
from zero123pp.train.multiview.pictures import sample_pictures, target_sheet  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("views"))


def test_control_and_targets_by_phase(data):
    sample = Pool(data, held_out=False, depth=True, normals=True).samples[0]
    query, views, nothing = sample_pictures(sample, "all", background=127)
    assert nothing is None
    assert query.shape == (3, 32, 32)
    assert views.shape == (6, 3, 32, 32)
    _, same, depth = sample_pictures(sample, "depth", background=127)
    assert torch.equal(same, views)
    inside = depth[0, 0][8:24, 8:24]
    assert (inside.min(), inside.max()) == (0, 1)
    assert torch.all(depth[0, :, 0, 0] == 127 / 255)
    _, normals, told = sample_pictures(sample, "normals", background=127, channels=(2, 0, 1))
    assert torch.equal(told[:, [1, 2, 0]], views)
    assert np.array_equal(np.round(normals.numpy() * 255), untile_sheet(sample.normals).transpose(0, 3, 1, 2))
    assert target_sheet(views, 32)[:, 32:64, 32:].equal(views[3])
    bare = Pool(data, held_out=False).samples[0]
    for phase in ("depth", "normals"):
        with pytest.raises(BadInput, match="render the shards with"):
            sample_pictures(bare, phase, background=127)
