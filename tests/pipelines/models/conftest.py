"""Tiny checkpoints of every kind, and the command line on them."""

import json
import shutil

import pytest
from paths import ROOT
from tiny_text_model import tiny_text_model
from toy import toy_mesh

MODELS = ROOT / "tests" / "golden" / "models"
FAST = ["--preset", "fast", "--texture-size", "256", "--faces", "3000", "--steps", "2"]


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A tiny v1.1 checkpoint of 64 px tiles, the same as v1.2, and a ControlNet that names neither."""
    root = tmp_path_factory.mktemp("models")
    for rig in ("v1.1", "v1.2"):
        shutil.copytree(MODELS / "tiny-zero123plus", root / rig)
        index = json.loads((root / rig / "model_index.json").read_text()) | {"tile_size": 64, "rig": rig}
        (root / rig / "model_index.json").write_text(json.dumps(index))
    shutil.copytree(MODELS / "tiny-controlnet-depth", root / "control")
    shutil.copytree(MODELS / "tiny-controlnet-depth", root / "controlnet-zp11-depth")
    return root


@pytest.fixture(scope="session")
def toy_obj(tmp_path_factory):
    import trimesh

    path = tmp_path_factory.mktemp("mesh") / "toy.obj"
    mesh = toy_mesh(48)
    trimesh.Trimesh(mesh.vertices * 7 + 2, mesh.faces).export(path)
    return path


@pytest.fixture
def run(tmp_path, validate_glb):
    """``run(*arguments)``: the command line to a valid file; its report and its bytes."""

    from zero123pp.pipelines.commands.cli import main

    def made(*arguments):
        out = tmp_path / "out.glb"
        assert main([*map(str, arguments), "--out", str(out), "--report", str(tmp_path / "r.json"), *FAST]) == 0
        validate_glb(out)
        return json.loads((tmp_path / "r.json").read_text()), out.read_bytes()

    return made


@pytest.fixture(scope="session")
def text_model(tmp_path_factory):
    return tiny_text_model(tmp_path_factory.mktemp("text") / "tiny-sd")


@pytest.fixture(scope="session")
def text_controlnet(text_model, tmp_path_factory):
    """A ControlNet of that checkpoint with random weights, also where a new one has zeros."""
    import torch
    from diffusers import ControlNetModel, UNet2DConditionModel

    torch.manual_seed(1)
    unet = UNet2DConditionModel.from_pretrained(text_model / "unet")
    network = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8))
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    folder = tmp_path_factory.mktemp("text-control") / "tiny-depth"
    network.save_pretrained(folder)
    return folder
