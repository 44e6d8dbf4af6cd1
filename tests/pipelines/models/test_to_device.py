"""Choices for devices of little memory: they compute the same, and are refused where they do nothing."""

from types import SimpleNamespace

import pytest
import torch

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion.fast import FastReferenceAttention
from zero123pp.diffusion.reference import ReferenceAttention
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.models import controlnets, to_device
from zero123pp.pipelines.models.options import ModelOptions
from zero123pp.pipelines.models.zero123plus import Zero123PlusModel

SMALL = {"width": 128, "height": 192, "num_inference_steps": 1}


@pytest.fixture
def pipe(tiny):
    pipe = Zero123PlusPipeline.from_pretrained(tiny)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latents(pipe, picture):
    return pipe(picture, generator=torch.Generator().manual_seed(0), output_type="latent", **SMALL).images


def processors(pipe):
    return list(pipe.unet.attn_processors.values())


@pytest.mark.parametrize("accelerated", [False, True])
@pytest.mark.parametrize("slices", ["max", "auto"])
def test_slicing_keeps_the_references(slices, accelerated, pipe, picture, monkeypatch):
    """diffusers puts its own processors in; a call that left them there would not see the picture."""
    ours = FastReferenceAttention if accelerated else ReferenceAttention
    if accelerated:
        pipe.accelerate()
    want = latents(pipe, picture)
    seen, ran = [], []
    dot_product = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda q, *rest, **more: seen.append(q.shape[:2].numel()) or dot_product(q, *rest, **more),
    )
    pipe.unet.register_forward_pre_hook(lambda *_: seen.clear() if not ran else None)  # the encoders came before
    pipe.unet.register_forward_pre_hook(lambda *_: ran.append(1))
    pipe.unet.set_attention_slice(slices)
    assert not any(isinstance(processor, ours) for processor in processors(pipe))
    got = latents(pipe, picture)
    assert all(isinstance(processor, ours) and processor.slice_size for processor in processors(pipe))
    sizes = {processor.slice_size for processor in processors(pipe)}
    assert max(seen) <= max(sizes), "more heads at once than allowed"
    torch.testing.assert_close(got, want, rtol=0, atol=2e-5)
    pipe.unet.set_attention_slice(None)
    assert torch.equal(latents(pipe, picture), want)
    assert not any(processor.slice_size for processor in processors(pipe))


def test_slices_outlive_a_change_to_the_faster_means(pipe, picture):
    pipe.unet.set_attention_slice("max")
    latents(pipe, picture)
    latents(pipe.accelerate(), picture)
    assert all(isinstance(p, FastReferenceAttention) and p.slice_size == 1 for p in processors(pipe))


def test_tiles_change_the_decoded_picture_a_little_and_the_conditions_not_at_all(pipe, picture, record):
    arguments = {"image": picture, "output_type": "np", **SMALL}
    want = record(pipe, generator=torch.Generator().manual_seed(0), **arguments)
    to_device.tile_decoder(pipe)
    got = record(pipe, generator=torch.Generator().manual_seed(0), **arguments)
    assert (got.latents == want.latents).all()
    assert len(got.encoded) == len(want.encoded) == 2 and len(got.decoded) > len(want.decoded) == 1
    assert max(tile.shape[-2] for tile in got.decoded) < want.decoded[0].shape[-2]
    assert got.images.shape == want.images.shape
    assert 0 < abs(got.images - want.images).mean() < 0.1


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"offload": "model"}, "offload 'model' moves networks between a GPU and main memory"),
        ({"offload": "sequential"}, "offload 'sequential' moves"),
        ({"attention_slicing": True}, "attention slicing saves nothing on cpu"),
    ],
)
def test_what_means_nothing_on_a_processor_is_one_line(chosen, message, tiny):
    with pytest.raises(BadInput, match=message) as caught:
        Zero123PlusModel.from_pretrained(tiny, device="cpu", **chosen)
    assert "\n" not in str(caught.value)


def test_what_does_mean_something_on_a_processor(tiny):
    model = Zero123PlusModel.from_pretrained(tiny, device="cpu", offload="none", vae_tiling=True)
    assert model.pipeline.vae.use_tiling and model.pipeline.vae.tile_sample_min_size == 128
    assert not Zero123PlusModel.from_pretrained(tiny, device="cpu").pipeline.vae.use_tiling


def test_an_unknown_offload():
    with pytest.raises(BadInput, match="offload is 'gpu'; expected one of auto, model, sequential, none"):
        ModelOptions(offload="gpu")


class Recorded:
    """A pipeline that only remembers where it was put."""

    def __init__(self):
        self.calls = []
        self.unet = SimpleNamespace(set_attention_slice=lambda size: self.calls.append(("slice", size)))

    def __getattr__(self, name):
        return lambda *args, **more: self.calls.append((name, *args, *more.values()))


@pytest.mark.parametrize(
    ("offload", "gigabytes", "want"),
    [
        ("auto", 6, "enable_model_cpu_offload"),
        ("auto", 12, "to"),
        ("none", 6, "to"),
        ("model", 80, "enable_model_cpu_offload"),
        ("sequential", 80, "enable_sequential_cpu_offload"),
    ],
)
def test_where_the_networks_go_on_a_card(offload, gigabytes, want, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=gigabytes * 2**30))
    pipeline, card = Recorded(), torch.device("cuda:1")
    to_device.to_device(pipeline, card, ModelOptions(offload=offload, attention_slicing=True))
    assert pipeline.calls == [("slice", "max"), (want, card)]


def test_offloading_without_accelerate_says_what_to_install():
    def refuse(device):
        raise ImportError("requires accelerate")

    pipeline = SimpleNamespace(enable_model_cpu_offload=refuse)
    with pytest.raises(MissingBackend, match="pip install accelerate"):
        to_device.to_device(pipeline, torch.device("cuda"), ModelOptions(offload="model"))


def test_offloaded_layers_compute_the_same(pipe, picture):
    """The hooks of sequential offload around every layer, here from the processor to itself."""
    from accelerate import cpu_offload

    want = latents(pipe, picture)
    cpu_offload(pipe.unet, torch.device("cpu"))
    assert all(weight.is_meta for weight in pipe.unet.parameters())
    torch.testing.assert_close(latents(pipe, picture), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("accelerated", [False, True])
def test_offloaded_networks_compute_the_same(accelerated, pipe, picture):
    """The hook of model offload: it copies every dictionary among the arguments of a call."""
    from accelerate import cpu_offload_with_hook

    if accelerated:
        pipe.accelerate()
    want = latents(pipe, picture)
    cpu_offload_with_hook(pipe.unet, torch.device("cpu"))
    assert torch.equal(latents(pipe, picture), want)


def test_a_controlnet_goes_where_an_offloaded_unet_runs(pipe, tiny_controlnet):
    from accelerate import cpu_offload

    for network in (pipe.vae, pipe.text_encoder, pipe.unet, pipe.vision_encoder):
        cpu_offload(network, torch.device("cpu"))
    assert pipe.unet.device.type == "meta"
    controlled = controlnets.with_depth_control(pipe, tiny_controlnet, allow_download=False)
    assert controlled.controlnet.device.type == "cpu"
