"""Segment Anything: a tiny checkpoint runs, and of scripted masks the steadiest is taken."""

import numpy as np
import pytest

from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.pipelines.cutout import CutoutConfig, find_outline
from zero123pp.pipelines.cutout.sam import steadiest

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("sam")
    vision = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
    vision |= {"output_channels": 16, "mlp_dim": 32, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 8}
    prompts = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    decoder = {"hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    decoder |= {"iou_head_hidden_dim": 16}
    config = transformers.SamConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )  # fmt: skip
    torch.manual_seed(0)
    network = transformers.SamModel(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)  # as initialised, every answer is the same
    network.save_pretrained(folder)
    square = {"pad_size": {"height": 64, "width": 64}, "mask_pad_size": {"height": 16, "width": 16}}
    pictures = transformers.SamImageProcessor(
        size={"longest_edge": 64}, mask_size={"longest_edge": 16}, **square
    )  # fmt: skip
    transformers.SamProcessor(pictures).save_pretrained(folder)
    return folder


def test_a_tiny_checkpoint_runs(checkpoint, capfd):
    config = CutoutConfig(method=f"sam:{checkpoint}", min_foreground=0)
    outline = find_outline(PICTURE, config)
    assert outline.alpha.shape == (40, 60) and 0 <= outline.alpha.min() < outline.alpha.max() <= 1
    assert outline.method == f"sam:{checkpoint}" and capfd.readouterr().err == ""
    pointed = find_outline(PICTURE, CutoutConfig(method=f"sam:{checkpoint}", point=(5, 5), min_foreground=0))
    boxed = find_outline(PICTURE, CutoutConfig(method=f"sam:{checkpoint}", box=(5, 5, 20, 20), min_foreground=0))
    assert not np.allclose(pointed.alpha, outline.alpha) and not np.allclose(boxed.alpha, outline.alpha)


def test_prompts_are_pixels_of_the_picture_that_was_given(checkpoint):
    """Twice as large a picture, looked at half as large: the same prompt is twice as far from the corner."""
    large = PICTURE.repeat(2, 0).repeat(2, 1)
    small = find_outline(PICTURE, CutoutConfig(f"sam:{checkpoint}", point=(9, 7), box=(4, 3, 50, 30), min_foreground=0))
    config = CutoutConfig(f"sam:{checkpoint}", point=(18, 14), box=(8, 6, 100, 60), work_px=64, min_foreground=0)
    np.testing.assert_allclose(find_outline(large, config).alpha[::2, ::2].mean(), small.alpha.mean(), atol=0.1)


def test_the_steadiest_mask_is_taken():
    """A blurred disc, a sharp one, and a sharp one with a soft halo: the sharp one changes least."""
    y, x = np.mgrid[:64, :64] - 31.5
    inside = 20 - np.hypot(x, y)
    halo = np.where(inside < 0, np.maximum(4 * inside, -0.5 - 0.02 * (np.hypot(x, y) - 20)), 4 * inside)
    assert steadiest(np.stack([0.2 * inside, 8 * inside, halo])) == 1
    assert steadiest(np.stack([8 * inside, 0.2 * inside, halo])) == 0
    assert steadiest(np.stack([np.full((64, 64), -9.0), 0.2 * inside])) == 1  # nothing at all is no mask


def test_what_cannot_be_used_is_said(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(BadInput, match="outside of the picture of 60x40"):
        find_outline(PICTURE, CutoutConfig(method=f"sam:{checkpoint}", point=(70, 5)))
    with pytest.raises(BadInput, match="left,top,right,bottom"):
        find_outline(PICTURE, CutoutConfig(method=f"sam:{checkpoint}", box=(30, 5, 10, 20)))
    with pytest.raises(BadInput, match="cannot be used as a SAM checkpoint"):
        find_outline(PICTURE, CutoutConfig(method=f"sam:{tmp_path}"))
    with pytest.raises(MissingBackend, match="not on this machine"):
        find_outline(PICTURE, CutoutConfig(method="sam:nobody/nothing"))
    with pytest.raises(ConfigError, match="sam:FOLDER"):
        CutoutConfig(method="rembg:u2net")
    with pytest.raises(ConfigError, match="only cutout"):
        CutoutConfig(point=(3, 4))
    with pytest.raises(ConfigError, match="expected 4 numbers"):
        CutoutConfig(method="sam", box=(3, 4))
