"""An exported model is whole, or the one before it stays."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from disk import small_files  # noqa: E402
from paths import ROOT  # noqa: E402
from views_data import tiny_config  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.train.multiview.export import export_model  # noqa: E402

TINY = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def export(folder, dtype=torch.float32):
    """The start itself: a checkpoint that trained nothing."""
    export_model(Zero123PlusPipeline.from_pretrained(TINY), {"mean": {}}, tiny_config(phase="phase1"), folder, dtype)
    return content(folder)


def test_a_full_disk_leaves_the_earlier_model(tmp_path):
    before = export(tmp_path / "model")
    largest = max(map(len, before.values()))
    with small_files(largest // 2), pytest.raises(BadInput, match=r"cannot write \S*/model: ") as caught:
        export(tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert content(tmp_path / "model") == before and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_next_model_takes_the_place_of_the_earlier_one_whole(tmp_path):
    before = export(tmp_path / "model")
    (tmp_path / "model" / "stale.txt").write_text("of an earlier version")
    after = export(tmp_path / "model", torch.float16)
    assert after.keys() == before.keys() and after != before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
