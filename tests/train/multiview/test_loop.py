"""Training of Zero123++: what each phase trains, gradients, resuming, processes, and the exported folder."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("accelerate")

from paths import ROOT  # noqa: E402
from views_data import tiny_config, write_samples  # noqa: E402

from zero123pp import Zero123PlusPipeline  # noqa: E402
from zero123pp.errors import BadInput, ConfigError  # noqa: E402
from zero123pp.train.multiview.loop import train  # noqa: E402
from zero123pp.train.multiview.phases import trains  # noqa: E402
from zero123pp.train.weights import load_checkpoint  # noqa: E402

TINY = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("views"))


def start():
    return Zero123PlusPipeline.from_pretrained(TINY)


def log_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same(one, other, names=("master", "mean")):
    return all(torch.equal(one[part][name], other[part][name]) for part in names for name in one[part])


def test_phase_1_trains_what_the_report_says_at_full_size():
    from diffusers import UNet2DConditionModel

    shape = {
        "sample_size": 96, "block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024, "use_linear_projection": True,
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    }  # fmt: skip
    with torch.device("meta"):
        unet = UNet2DConditionModel(**shape)
    parameters = {f"unet.{name}": value.numel() for name, value in unet.named_parameters()}
    assert sum(parameters.values()) == 865_910_724
    which = trains("phase1", ramp=True, vision=False)
    chosen = {name: count for name, count in parameters.items() if which(name)}
    assert (len(chosen), sum(chosen.values())) == (112, 75_133_120)
    assert which("ramp")
    assert not which("vision_encoder.visual_projection.weight")
    everything = trains("phase2", ramp=False, vision=False)
    assert all(map(everything, parameters))
    assert not everything("ramp")
    control = trains("depth", ramp=True, vision=True)
    assert not any(map(control, parameters))
    assert control("controlnet.conv_in.weight")
    assert not control("ramp")


@pytest.mark.parametrize("phase", ["phase1", "depth"])
def test_only_what_is_trained_moves_and_the_folder_loads(phase, data, tmp_path):
    from zero123pp.train.multiview.export import export_model

    config = tiny_config(phase=phase, precision="bfloat16", sample_every=4, sample_steps=2)
    checkpoint = load_checkpoint(train(start(), data, tmp_path, config))
    folder = export_model(start(), checkpoint, config, tmp_path / "model", torch.float32)
    before = start()
    if phase == "depth":
        assert all(name.startswith("controlnet.") for name in checkpoint["mean"])
        pipe = Zero123PlusPipeline.from_pretrained(TINY, controlnet=folder)
        assert any(value.any() for name, value in pipe.controlnet.named_parameters() if "controlnet_down" in name)
    else:
        pipe = Zero123PlusPipeline.from_pretrained(folder)
        assert pipe.config.ramping_coefficients != before.config.ramping_coefficients
        assert pipe.tile_size == 32
    which = trains(phase, ramp=True, vision=False)
    for (name, old), new in zip(before.unet.named_parameters(), pipe.unet.parameters()):
        # Frozen weights are the start's to the bit, though training ran in bfloat16.
        assert torch.equal(old, new) != which(f"unet.{name}"), name
    depth = np.full((96, 64, 3), 127, np.uint8)
    extra = {"depth_image": depth, "width": 64, "height": 96} if phase == "depth" else {}
    image = pipe(np.zeros((32, 32, 3), np.uint8), num_inference_steps=1, output_type="np", **extra).images
    assert image.shape == (1, 96, 64, 3)
    assert (tmp_path / "samples" / "step-000004.png").is_file()
    assert {"step", "loss", "mse", "grad_norm", "rate", "val_loss"} <= set(log_of(tmp_path)[-1])


def test_it_resumes_bit_for_bit(data, tmp_path):
    config = tiny_config(phase="phase2", gradient_checkpointing=True)
    whole = load_checkpoint(train(start(), data, tmp_path / "whole", config))
    # Stopped after a step that is in the log, but in no checkpoint.
    with pytest.raises(KeyboardInterrupt):
        train(start(), data, tmp_path / "parts", config, progress=_StopAfter(3))
    assert [record["step"] for record in log_of(tmp_path / "parts")] == [1, 2, 3]
    resumed = load_checkpoint(train(start(), data, tmp_path / "parts", config))
    assert resumed["step"] == whole["step"] == 4
    assert same(resumed, whole)
    for number, state in whole["optimiser"]["state"].items():
        assert all(torch.equal(state[key], resumed["optimiser"]["state"][number][key]) for key in state)
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")


def test_a_refiner_resumes_and_its_folder_draws(data, tmp_path):
    from zero123pp.diffusion import SheetRefinerPipeline
    from zero123pp.train.multiview.export import export_model
    from zero123pp.train.multiview.first_stage import FirstStageErrors
    from zero123pp.train.multiview.start import open_start

    def begun():
        return open_start(str(TINY), vision="", predicts="epsilon")

    config = tiny_config(
        phase="refine1", prediction="epsilon", refines="tile", errors=FirstStageErrors(20), noisiest=0.3, strength=0.2,
        sample_every=4, sample_steps=5,
    )  # fmt: skip
    whole = load_checkpoint(train(begun(), data, tmp_path / "whole", config))
    with pytest.raises(KeyboardInterrupt):
        train(begun(), data, tmp_path / "parts", config, progress=_StopAfter(3))
    resumed = load_checkpoint(train(begun(), data, tmp_path / "parts", config))
    assert same(resumed, whole) and {"unet.conv_in.weight", "ramp"} <= set(whole["mean"])
    assert whole["mean"]["unet.conv_in.weight"][:, 4:].any()
    assert not any("conv_out" in name or name.startswith("vision") for name in whole["mean"])
    second = tiny_config(**vars(config) | {"phase": "refine2", "steps": 1})
    carried = train(begun(), data, tmp_path / "2", second, carry_over=tmp_path / "whole" / "checkpoint.pt")
    assert "unet.conv_out.weight" in load_checkpoint(carried)["mean"]
    folder = export_model(begun(), whole, config, tmp_path / "model", torch.float32)
    pipe = SheetRefinerPipeline.from_pretrained(folder)
    assert (pipe.mode, pipe.strength, pipe.tile_size) == ("tile", 0.2, 32)
    assert (tmp_path / "whole" / "samples" / "step-000004.png").is_file()
    sheet = pipe(np.zeros((60, 40, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), num_inference_steps=5).images[0]
    assert sheet.size == (64, 96)


@pytest.mark.parametrize("refines", ["tile", "sheet"])
def test_a_refiner_finds_what_the_first_stage_got_wrong_in_its_noise(refines, data):
    """At the level of its start what it sees is the first stage under plain noise; the answer leads to the truth."""
    from zero123pp.diffusion import latents
    from zero123pp.train.multiview.dataset import Pool, ViewItems
    from zero123pp.train.multiview.first_stage import FirstStageErrors
    from zero123pp.train.multiview.start import open_start
    from zero123pp.train.multiview.state import RunState

    known = {"phase": "refine2", "prediction": "epsilon", "refines": refines, "strength": 0.2, "noisiest": 0.2}
    config = tiny_config(**known, errors=FirstStageErrors(16))
    state = RunState(open_start(str(TINY), vision="", predicts="epsilon"), ROOT / "none", config, torch.device("cpu"))
    items = ViewItems(Pool(data, held_out=False), state.geometry, config, group=1)
    item = torch.utils.data.default_collate([items[0]])
    item["timestep"][:] = 199
    noised, sigma = state.frozen(item, "epsilon"), state.frozen.first_sigma
    assert noised.latents.shape == ((1, 4, 4, 4) if refines == "tile" else (1, 4, 12, 8))
    assert float(noised.sigma) == pytest.approx(sigma)
    first = latents.encode(state.frozen.vae, item["first_stage"])
    assert torch.equal(noised.inputs["first_stage"], first)
    seen = noised.inputs["noised"] * (sigma**2 + 1) ** 0.5
    assert torch.allclose(seen, first + sigma * item["noise"], atol=1e-4)
    assert torch.allclose(seen - sigma * noised.wanted, noised.latents, atol=1e-4)


def test_it_validates_when_it_neither_logs_nor_saves(data, tmp_path):
    train(start(), data, tmp_path, tiny_config(steps=3, log_every=50, save_every=50, validate_every=2))
    assert [(record["step"], "val_loss" in record) for record in log_of(tmp_path)] == [(2, True), (3, True)]


class _StopAfter:
    def __init__(self, steps):
        self.left = steps

    def __call__(self, _done):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def gradients(config, data):
    from zero123pp.train.multiview.dataset import Pool, ViewItems
    from zero123pp.train.multiview.loop import batch_losses
    from zero123pp.train.multiview.state import RunState

    state = RunState(start(), ROOT / "no-such-checkpoint", config, torch.device("cpu"))
    items = ViewItems(Pool(data, held_out=False), state.geometry, config, group=2)
    batch = torch.utils.data.default_collate([items[0], items[1]])
    loss = batch_losses(state.denoiser, state, batch)["loss"]
    loss.backward()
    return float(loss.detach()), {name: low.grad for name, low in state.weights.running.items()}


def test_checkpointing_and_plain_attention_give_the_same_gradients(data):
    loss, plain = gradients(tiny_config(phase="phase2"), data)
    for config in (
        tiny_config(phase="phase2", gradient_checkpointing=True),
        tiny_config(phase="phase2", attention="plain"),
    ):
        other, found = gradients(config, data)
        assert other == pytest.approx(loss, rel=1e-6)
        for name, gradient in plain.items():
            scale = float(gradient.abs().max())
            assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-4 * scale + 1e-9), name


def test_accumulated_parts_are_one_batch(data, tmp_path):
    shared = {"phase": "phase2", "steps": 1, "save_every": 1}
    one = load_checkpoint(train(start(), data, tmp_path / "one", tiny_config(batch=4, accumulate=1, **shared)))
    two = load_checkpoint(train(start(), data, tmp_path / "two", tiny_config(batch=2, accumulate=2, **shared)))
    moments = [state["optimiser"]["state"] for state in (one, two)]
    for number, state in moments[0].items():
        scale = float(state["exp_avg"].abs().max())
        assert torch.allclose(moments[1][number]["exp_avg"], state["exp_avg"], rtol=1e-3, atol=1e-4 * scale + 1e-12)


def test_the_second_phase_carries_adams_moments_over(data, tmp_path):
    first = train(start(), data, tmp_path / "1", tiny_config(phase="phase1"))
    second = train(start(), data, tmp_path / "2", tiny_config(phase="phase2", steps=2), carry_over=first)
    state = load_checkpoint(second)
    names = list(state["master"])
    old = set(load_checkpoint(first)["master"])
    steps = {name: int(state["optimiser"]["state"][names.index(name)]["step"]) for name in names}
    assert {steps[name] for name in old} == {6}
    assert {steps[name] for name in set(names) - old} == {2}
    with pytest.raises(BadInput, match="keeps frozen"):
        train(start(), data, tmp_path / "3", tiny_config(phase="phase1"), carry_over=second)


def test_a_checkpoint_of_another_phase_is_refused(data, tmp_path):
    train(start(), data, tmp_path, tiny_config(phase="phase1", steps=2))
    with pytest.raises(BadInput, match="other parameters"):
        train(start(), data, tmp_path, tiny_config(phase="phase2"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_px": (64, 32)}, "query_px"),
        ({"drop": 1.5}, "drop is 1.5"),
        ({"batch": 0}, "at least 1"),
    ],
)
def test_senseless_recipes_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny_config(**changes)
