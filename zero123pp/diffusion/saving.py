"""A pipeline back to the public folder layout, readable by every version of the libraries that could read it before."""

import json
from pathlib import Path

import diffusers
import torch
from safetensors.torch import save_file

_TEXT_PREFIX = "text_model."


def save_parts(pipeline: diffusers.DiffusionPipeline, folder: Path) -> None:
    """Write all parts of a Zero123PlusPipeline, and its ControlNet when it has one, under ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("unet", "vae", "scheduler", "controlnet"):
        part = getattr(pipeline, name)
        if part is not None:
            part.save_pretrained(folder / name)
    _save_encoder(pipeline.text_encoder, folder / "text_encoder", _TEXT_PREFIX)
    _save_encoder(pipeline.vision_encoder, folder / "vision_encoder", "")
    _save_tokenizer(pipeline.tokenizer, folder / "tokenizer")
    for name in ("feature_extractor_clip", "feature_extractor_vae"):
        (folder / name).mkdir(exist_ok=True)
        _write_json(folder / name / "preprocessor_config.json", getattr(pipeline, name).to_config())
    # Last, so that a folder with an index is a complete one.
    _write_json(folder / "model_index.json", _index(pipeline))


def _index(pipeline: diffusers.DiffusionPipeline) -> dict:
    config = pipeline.config
    index = {
        "_class_name": type(pipeline).__name__,
        "_diffusers_version": diffusers.__version__,
        "feature_extractor_clip": ["transformers", "CLIPImageProcessor"],
        "feature_extractor_vae": ["transformers", "CLIPImageProcessor"],
        "input_background": config.input_background,
        "ramping_coefficients": [float(w) for w in config.ramping_coefficients],
        "rig": config.rig,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", type(pipeline.scheduler).__name__],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tile_size": config.tile_size,
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "vision_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    }
    index |= {name: getattr(pipeline, name) for name in ("mode", "strength") if hasattr(pipeline, name)}  # a refiner's
    if pipeline.controlnet is not None:
        index["controlnet"] = ["diffusers", "ControlNetModel"]
    return index


def _save_encoder(model: torch.nn.Module, folder: Path, prefix: str) -> None:
    """Weights and config of a CLIP encoder under the published names.

    transformers 5 drops the prefix "text_model." from its keys and calls the type "dtype"; older readers know neither.
    """
    folder.mkdir(exist_ok=True)
    state = {
        key if key.startswith(prefix) else prefix + key: value.detach().contiguous().cpu()
        for key, value in model.state_dict().items()
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config.pop("dtype", None)
    config.pop("_name_or_path", None)
    config |= {"architectures": [type(model).__name__], "torch_dtype": str(model.dtype).removeprefix("torch.")}
    _write_json(folder / "config.json", config)


def _save_tokenizer(tokenizer: object, folder: Path) -> None:
    """Vocabulary, merges and configs of a CLIP tokenizer; transformers 5 alone would write a single newer file."""
    folder.mkdir(exist_ok=True)
    tokenizer.backend_tokenizer.model.save(str(folder))
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    _write_json(folder / "special_tokens_map.json", special)
    config = {
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": tokenizer.model_max_length,
        "tokenizer_class": "CLIPTokenizer",
        **special,
    }
    _write_json(folder / "tokenizer_config.json", config)


def _write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
