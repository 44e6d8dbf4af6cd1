"""Other UNet weights from a file: they take the place of the UNet's, or are refused in one line."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion.preprocess import on_gray
from zero123pp.errors import BadInput

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}


def seeded(seed):
    return torch.Generator("cpu").manual_seed(seed)


@pytest.fixture
def other_weights(tiny, tmp_path):
    state = load_file(tiny / "unet" / "diffusion_pytorch_model.safetensors")
    return {name: value * 0.9 if "attn1.to_q" in name else value for name, value in state.items()}, tmp_path


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_of_a_file_take_the_place_of_the_unets(suffix, other_weights, tiny):
    state, folder = other_weights
    file = folder / f"unet{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    pipe = Zero123PlusPipeline.from_pretrained(tiny, unet_file=file, torch_dtype=torch.bfloat16)
    loaded = pipe.unet.state_dict()
    assert all(torch.equal(loaded[name], value.bfloat16()) for name, value in state.items())
    assert not pipe.unet.training and pipe.config.input_background == 127


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.pop("conv_in.weight"), "lacks 1 tensors"),
        (lambda s: s.update(more=torch.zeros(1)), "unknown 1 tensors"),
        (lambda s: s.update({"conv_in.weight": torch.zeros(3, 3)}), "another shape for 1"),
        (lambda s: s["conv_in.weight"].fill_(float("nan")), "NaN"),
    ],
)
def test_a_file_of_another_network_is_refused(spoil, message, other_weights, tiny):
    state, folder = other_weights
    spoil(state)
    save_file(state, folder / "unet.safetensors")
    with pytest.raises(BadInput, match=message) as caught:
        Zero123PlusPipeline.from_pretrained(tiny, unet_file=folder / "unet.safetensors")
    assert "\n" not in str(caught.value)


def test_a_file_that_hides_code_is_refused_and_does_not_run(tiny, tmp_path):
    class Planted:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    torch.save({"conv_in.weight": Planted()}, tmp_path / "unet.bin")
    with pytest.raises(BadInput, match="code"):
        Zero123PlusPipeline.from_pretrained(tiny, unet_file=tmp_path / "unet.bin")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(BadInput, match="no file"):
        Zero123PlusPipeline.from_pretrained(tiny, unet_file=tmp_path / "missing.bin")


def test_the_background_of_the_input_is_the_unets(tiny, picture, record, tmp_path):
    white = Zero123PlusPipeline.from_pretrained(tiny, input_background=255)
    white.set_progress_bar_config(disable=True)
    seen = record(white, image=picture, generator=seeded(0), **SMALL)
    want = white.feature_extractor_vae(on_gray(picture, background=255))
    assert torch.equal(seen.encoded[0], want)
    assert np.asarray(on_gray(picture, background=255)).max() == 255
    white.save_pretrained(tmp_path / "white")
    assert Zero123PlusPipeline.from_pretrained(tmp_path / "white").config.input_background == 255
    with pytest.raises(BadInput, match="input_background"):
        Zero123PlusPipeline.from_pretrained(tiny, input_background=300)
