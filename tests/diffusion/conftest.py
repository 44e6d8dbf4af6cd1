"""The tiny pipelines, and the golden files of the reference implementation."""

import copy
import importlib.util
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

for name in ("torch", "diffusers"):
    if importlib.util.find_spec(name) is None:  # looked for only: to import them takes seconds, and few tests need both
        pytest.skip(f"{name} is not installed", allow_module_level=True)


@pytest.fixture(scope="session")
def _loaded(tiny, tiny_controlnet):
    from zero123pp import Zero123PlusPipeline

    pipes = [Zero123PlusPipeline.from_pretrained(tiny, controlnet=c) for c in (None, tiny_controlnet)]
    for pipe in pipes:
        pipe.set_progress_bar_config(disable=True)
    return pipes


def _own_copy(loaded, tiny):
    """The loaded pipeline with networks of its own, so that nothing a test does to it reaches another test."""
    from diffusers import EulerAncestralDiscreteScheduler

    own = copy.deepcopy(loaded)
    own.scheduler = EulerAncestralDiscreteScheduler.from_pretrained(tiny / "scheduler")
    return own


@pytest.fixture
def pipe(_loaded, tiny):
    """The tiny pipeline with the scheduler it is shipped with."""
    return _own_copy(_loaded[0], tiny)


@pytest.fixture
def control_pipe(_loaded, tiny):
    """The same with the tiny ControlNet."""
    return _own_copy(_loaded[1], tiny)


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
