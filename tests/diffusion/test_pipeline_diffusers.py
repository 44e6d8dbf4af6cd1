"""Diffusers' own switches on the pipeline: they work, and reference attention stays in its place."""

import pytest
import torch

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion import reference
from zero123pp.errors import BadInput

SMALL = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}


def latents(pipe, picture):
    return pipe(picture, generator=torch.Generator().manual_seed(0), **SMALL).images


@pytest.fixture
def lora(pipe, tmp_path):
    """A file of a LoRA of all linear maps of the transformer blocks, made by diffusers."""
    peft = pytest.importorskip("peft")
    unet = type(pipe.unet).from_config(pipe.unet.config)
    unet.add_adapter(peft.LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v", "to_out.0", "proj", "net.2"]))
    g = torch.Generator().manual_seed(1)
    for name, weights in unet.named_parameters():
        if "lora" in name:
            weights.data.normal_(std=0.3, generator=g)
    layers = peft.get_peft_model_state_dict(unet)
    Zero123PlusPipeline.save_lora_weights(tmp_path / "lora", unet_lora_layers=layers)
    return tmp_path / "lora"


def test_a_lora_changes_the_sheet_and_leaves_the_references(lora, pipe, tiny, picture):
    plain = latents(pipe, picture)
    pipe.load_lora_weights(lora)
    changed = latents(pipe, picture)
    assert float((changed - plain).norm() / plain.norm()) > 0.01
    assert all(isinstance(p, reference.ReferenceAttention) for p in pipe.unet.attn_processors.values())
    # The same by hand: weights with the product of both factors added.
    pipe.fuse_lora()
    torch.testing.assert_close(latents(pipe, picture), changed, rtol=0, atol=1e-4)
    pipe.unfuse_lora()
    # The faster means were in place before: they must not go on with the weights they knew.
    pipe.unload_lora_weights()
    torch.testing.assert_close(latents(pipe.accelerate(), picture), plain, rtol=0, atol=1e-4)
    pipe.load_lora_weights(lora)
    torch.testing.assert_close(latents(pipe, picture), changed, rtol=0, atol=1e-4)
    pipe.unload_lora_weights()
    torch.testing.assert_close(latents(pipe, picture), plain, rtol=0, atol=1e-4)


def test_networks_that_leave_the_device_between_their_calls(pipe, picture, monkeypatch):
    """Model offload by diffusers' own call, with the processor as the device."""
    pytest.importorskip("accelerate")
    want = latents(pipe, picture)
    pipe.enable_model_cpu_offload(device="cpu")
    hooked = [name for name in ("vision_encoder", "text_encoder", "unet") if hasattr(getattr(pipe, name), "_hf_hook")]
    assert hooked == ["vision_encoder", "text_encoder", "unet"]
    torch.testing.assert_close(latents(pipe, picture), want, rtol=0, atol=1e-6)
    torch.testing.assert_close(latents(pipe, picture), want, rtol=0, atol=1e-6)


def test_groups_of_layers_that_leave_the_device(pipe, picture):
    want = latents(pipe, picture)
    pipe.enable_group_offload(torch.device("cpu"), torch.device("cpu"), "leaf_level", exclude_modules=["vae"])
    torch.testing.assert_close(latents(pipe, picture), want, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_compiled_unet(pipe, picture):
    """The graph that torch.compile finds, run by torch itself: no compiler is needed to see that it is the same."""
    want = latents(pipe, picture)
    pipe.unet.compile(backend="eager")
    torch.testing.assert_close(latents(pipe, picture), want, rtol=0, atol=1e-5)


def test_channels_last(pipe, picture):
    want = latents(pipe, picture)
    pipe.unet.to(memory_format=torch.channels_last)
    torch.testing.assert_close(latents(pipe, picture), want, rtol=0, atol=1e-4)
    # Over 512 x 512 positions torch's group norm of this layout is right to 2e-4 only, on a processor.
    pipe.vae.to(memory_format=torch.channels_last)
    got = latents(pipe, picture)
    assert float((got - want).norm() / want.norm()) < 0.02


def test_what_is_pushed_is_a_folder_in_the_public_layout(pipe, tiny, monkeypatch):
    from pathlib import Path
    from types import SimpleNamespace

    from diffusers.utils import hub_utils

    pushed = {}

    def upload(self, folder, repo_id, **_):
        pushed.update({path.relative_to(folder).as_posix(): repo_id for path in Path(folder).rglob("*.*")})

    monkeypatch.setattr(type(pipe), "_upload_folder", upload)
    monkeypatch.setattr(hub_utils, "create_repo", lambda repo_id, **_: SimpleNamespace(repo_id=repo_id))
    card = SimpleNamespace(save=lambda path: None)
    monkeypatch.setattr(hub_utils, "load_or_create_model_card", lambda *_, **__: card)
    monkeypatch.setattr(hub_utils, "populate_model_card", lambda card: card)
    pipe.push_to_hub("me/toy")
    assert pushed == {path.relative_to(tiny).as_posix(): "me/toy" for path in tiny.rglob("*.*")}


@pytest.mark.parametrize("bad", [{"safe_serialization": False}, {"variant": "fp16"}, {"max_shard_size": "1GB"}])
def test_other_ways_to_save_are_refused(bad, pipe, tmp_path):
    with pytest.raises(BadInput, match=next(iter(bad))):
        pipe.save_pretrained(tmp_path / "saved", **bad)
    assert not (tmp_path / "saved").exists()


def test_diffusers_own_loader(tiny, pipe, picture):
    """With this module as the custom pipeline, as docs/library.md says."""
    from diffusers import DiffusionPipeline

    from zero123pp.diffusion import pipeline

    loaded = DiffusionPipeline.from_pretrained(tiny, custom_pipeline=pipeline.__file__, trust_remote_code=True)
    loaded.set_progress_bar_config(disable=True)
    torch.testing.assert_close(latents(loaded, picture), latents(pipe, picture), rtol=0, atol=1e-6)
