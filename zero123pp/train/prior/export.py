"""Writing the trained shape prior for use without torch: three graphs beside one safetensors file."""

from dataclasses import asdict
from pathlib import Path

import torch

from zero123pp.files import make_folder
from zero123pp.recon.prior import INPUT_CHANNELS, OUTLINES, WEIGHTS_NAME, ShapePrior
from zero123pp.train import load_checkpoint, save_with_shared_weights, traced
from zero123pp.train.prior.train import PriorTrainConfig, stage_of


def export_prior(checkpoint: str | Path, folder: str | Path) -> Path:
    """Write the mean weights of a checkpoint of `zero123pp.train.prior.train.train`.

    The graphs take pictures and grids of the size that the checkpoint was last trained at: of another size the network
    knows nothing yet.

    Returns:
        Path of the safetensors file; ``encoder.onnx``, ``grid.onnx`` and ``decoder.onnx`` lie beside it.
    """
    network = ShapePrior()
    content = load_checkpoint(checkpoint)
    network.load_state_dict(content["mean"])
    shape = network.shape
    _, picture_px, size = stage_of(PriorTrainConfig(**content.get("config", {})), content["step"] - 1)
    width = shape.grid_widths[0] + shape.statistics_width
    models = {
        "encoder": traced(
            network.encoder, [torch.zeros(1, INPUT_CHANNELS, picture_px, picture_px)], ["pictures"],
            ["maps", "normals", "elevation"],
            {name: {0: "views"} for name in ("pictures", "maps", "normals", "elevation")},
        ),
        "grid": traced(
            network.grid, [torch.zeros(1, shape.grid_inputs, size, size, size)], ["statistics"], ["volume"], {}
        ),
        "decoder": traced(
            network.decoder, [torch.zeros(4, width), torch.zeros(4, OUTLINES)], ["features", "outlines"],
            ["distances", "colors"], {name: {0: "points"} for name in ("features", "outlines", "distances", "colors")},
        ),
    }  # fmt: skip
    folder = make_folder(folder)
    metadata = {"steps": str(content["step"]), "shape": str(asdict(shape)), "licence": "Apache-2.0"}
    save_with_shared_weights(models, folder / WEIGHTS_NAME, metadata)
    return folder / WEIGHTS_NAME
