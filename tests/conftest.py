"""Fixtures shared by all tests."""

import os
from pathlib import Path
from types import SimpleNamespace

import gltf_validator
import pytest
from paths import ROOT

# Before torch is imported. Its threads wait for each other by spinning, which on two cores takes the processor from
# whatever else runs: beside another program, the networks of these tests take ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m quick` reads only the files that hold such tests: to import the others takes longer than the tests."""
    if config.option.markexpr == "quick" and collection_path.name.startswith("test_"):
        return True if "mark.quick" not in collection_path.read_text(encoding="utf-8") else None
    return None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of larger reference data, when it lies beside the checkout (or where ZERO123PP_SHARED says)."""
    folder = Path(os.environ.get("ZERO123PP_SHARED", ROOT.parent / "shared"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no reference data in {folder}")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The tiny checkpoints and the reference's outputs, see tests/golden/README.md."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def tiny(golden) -> Path:
    return golden / "models" / "tiny-zero123plus"


@pytest.fixture(scope="session")
def tiny_controlnet(golden) -> Path:
    return golden / "models" / "tiny-controlnet-depth"


@pytest.fixture(scope="session")
def picture(golden):
    """The RGBA condition that is not square."""
    from PIL import Image

    image = Image.open(golden / "inputs" / "cond_1.png")
    image.load()
    return image


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


@pytest.fixture
def validate_glb(subtests):
    """``validate_glb(path, **info)``: the Khronos validator finds nothing, and counts what ``info`` says.

    A test within the test: without Node.js it alone is skipped, and the rest goes on.
    """

    def validate(path, **info) -> None:
        with subtests.test("glTF validator"):
            problem = gltf_validator.unavailable()
            if problem:
                pytest.skip(f"glTF validator: {problem}")
            found = gltf_validator.report_of(path)["info"]
            assert {name: found[name] for name in info} == info

    return validate
