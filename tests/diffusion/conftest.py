"""The tiny checkpoints, and a recorder that sees everything a sampling run computes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("diffusers")


@pytest.fixture(scope="session")
def _loaded(tiny, tiny_controlnet):
    from zero123pp import Zero123PlusPipeline

    pipes = [Zero123PlusPipeline.from_pretrained(tiny, controlnet=c) for c in (None, tiny_controlnet)]
    for pipe in pipes:
        pipe.set_progress_bar_config(disable=True)
    return pipes


@pytest.fixture
def pipe(_loaded, tiny):
    """The tiny pipeline with the scheduler it is shipped with."""
    from diffusers import EulerAncestralDiscreteScheduler

    _loaded[0].scheduler = EulerAncestralDiscreteScheduler.from_pretrained(tiny / "scheduler")
    return _loaded[0]


@pytest.fixture
def control_pipe(_loaded, tiny):
    """The same with the tiny ControlNet."""
    from diffusers import EulerAncestralDiscreteScheduler

    _loaded[1].scheduler = EulerAncestralDiscreteScheduler.from_pretrained(tiny / "scheduler")
    return _loaded[1]


@pytest.fixture(scope="session")
def picture(golden):
    """The RGBA condition that is not square."""
    image = Image.open(golden / "inputs" / "cond_1.png")
    image.load()
    return image


@pytest.fixture(scope="session")
def case(golden):
    """``case("base_0")``: the arrays of a golden file, with ``meta`` parsed and the arguments of the call."""

    def read(name: str) -> SimpleNamespace:
        arrays = dict(np.load(golden / "outputs" / f"{name}.npz"))
        meta = json.loads(str(arrays.pop("meta")))
        inputs = golden / "inputs"
        arguments = {
            "image": Image.open(inputs / f"cond_{name.split('_')[1]}.png"),
            "width": meta["width"],
            "height": meta["height"],
            "num_inference_steps": meta["steps"],
            "guidance_scale": meta["guidance_scale"],
            "num_images_per_prompt": meta["num_images_per_prompt"],
        }
        if meta["controlnet"]:
            control = {"depth_0": "depth_rgba", "depth_1": "depth_rgb"}.get(name)
            arguments["depth_image"] = (
                Image.open(inputs / f"{control}.png")
                if control
                else Image.fromarray(np.load(golden / "outputs" / "base_1.npz")["image_u8"][0])
            )
            arguments["controlnet_conditioning_scale"] = meta["conditioning_scale"]
        return SimpleNamespace(name=name, arrays=arrays, meta=meta, arguments=arguments)

    return read


@pytest.fixture
def record():
    """``record(pipe, **arguments)``: a call, and what the networks got and gave in it."""
    import torch

    def run(pipe, **arguments) -> SimpleNamespace:
        seen = SimpleNamespace(unet_in=[], unet_out=[], states=[], encoded=[], decoded=[], steps=[], control=[])

        def on_unet(_module, args, kwargs, out):
            seen.unet_in.append(args[0])
            seen.states.append(kwargs["encoder_hidden_states"])
            seen.unet_out.append(out[0])

        hooks = [
            pipe.unet.register_forward_hook(on_unet, with_kwargs=True),
            pipe.vae.encoder.register_forward_hook(lambda _m, args, _out: seen.encoded.append(args[0])),
            pipe.vae.decoder.register_forward_hook(lambda _m, _args, out: seen.decoded.append(out)),
            pipe.vision_encoder.register_forward_hook(lambda _m, _args, out: setattr(seen, "clip", out.image_embeds)),
        ]
        if pipe.controlnet is not None:
            hooks.append(pipe.controlnet.register_forward_hook(lambda _m, _args, out: seen.control.append(out)))
        try:
            seen.images = pipe(
                callback_on_step_end=lambda _p, _i, _t, tensors: seen.steps.append(tensors["latents"]), **arguments
            ).images
        finally:
            for hook in hooks:
                hook.remove()
        seen.latents = torch.stack(seen.steps).numpy()
        return seen

    return run
