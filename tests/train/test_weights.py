"""Weights on the disk: the old ones or the new ones, whatever happens while they are written."""

import pytest

torch = pytest.importorskip("torch")

from disk import small_files  # noqa: E402

from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.train.weights import TrainedWeights, load_checkpoint  # noqa: E402


def test_a_full_disk_leaves_the_earlier_checkpoint_and_says_one_line(tmp_path):
    path = tmp_path / "checkpoint.pt"

    def weights():
        return TrainedWeights(
            lambda: torch.nn.Linear(64, 64), path, seed=0, precision=torch.float32, weight_decay=0, ema=0.9, clip=1
        )

    running = weights()
    running.step = 1
    running.save({})
    running.step = 2
    with (
        small_files(20_000),
        pytest.raises(BadInput, match=r"cannot write \S*/checkpoint\.pt: File too large") as caught,
    ):
        running.save({})
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert load_checkpoint(path)["step"] == 1 and weights().step == 1
