"""The parts of a Zero123++ checkpoint, read without running anything that lies in it.

Classes are named here, never taken from the checkpoint. Weights are safetensors; a pickle is read only by torch's
``weights_only`` unpickler, which refuses everything but tensors. Whatever is wrong with the files comes out as one
BadInput that says in which part.
"""

import json
import math
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import diffusers
import torch
import transformers

from zero123pp.diffusion import hub
from zero123pp.diffusion.preprocess import ImagePreprocessor
from zero123pp.diffusion.quiet import quiet_libraries
from zero123pp.errors import BadInput, Zero123ppError
from zero123pp.images import GRAY_BACKGROUND
from zero123pp.rigs import get_rig

_MODELS = {
    "unet": diffusers.UNet2DConditionModel,
    "vae": diffusers.AutoencoderKL,
    "text_encoder": transformers.CLIPTextModel,
    "vision_encoder": transformers.CLIPVisionModelWithProjection,
}

REFINER = "SheetRefinerPipeline"
"""What the index of a refiner calls it, see `zero123pp.diffusion.sheet_refiner`."""

DEFAULT_RIG = "v1.2"
DEFAULT_TILE_SIZE = 320
"""Side of one view, px, at which the released checkpoints were trained."""


def load_parts(
    folder: Path, dtype: torch.dtype, unet_file: Path | None = None, *, pictures_in: int = 1
) -> dict[str, object]:
    """All arguments of Zero123PlusPipeline but ``controlnet`` and ``rig``, from a complete ``folder`` (see `hub`).

    ``unet_file`` holds weights to use in place of the folder's own, see `load_unet_file`. The UNet takes
    ``pictures_in`` pictures' latents side by side: one, or two in a refiner.
    """
    index = read_json(folder / "model_index.json")
    if pictures_in == 1 and index.get("_class_name") == REFINER:
        raise BadInput(f"{str(folder)!r} is a refiner, which draws over a sheet that is there; give it with --refiner")
    parts: dict[str, object] = {
        "ramping_coefficients": _ramp(index, folder),
        "tile_size": _tile_size(index),
        "input_background": index.get("input_background", GRAY_BACKGROUND),
        "scheduler": _scheduler(folder / "scheduler"),
    }
    for name in ("feature_extractor_clip", "feature_extractor_vae"):
        parts[name] = ImagePreprocessor.from_config(read_json(folder / name / "preprocessor_config.json"))
    with _explained("tokenizer", folder):
        parts["tokenizer"] = _tokenizer(folder / "tokenizer").from_pretrained(
            folder / "tokenizer", local_files_only=True
        )
    for name, model in _MODELS.items():
        if name == "unet" and unet_file is not None:
            parts[name] = load_unet_file(unet_file, folder / name, dtype)
        else:
            parts[name] = load_model(model, folder / name, hub.WEIGHTS[name], dtype)
    _check_match(parts, folder, pictures_in)
    return parts


def _tokenizer(folder: Path) -> type:
    """The class that reads the tokenizer of a folder: before transformers 5 the plain one knew no tokenizer.json."""
    is_new = not (folder / "vocab.json").is_file()
    return (is_new and getattr(transformers, "CLIPTokenizerFast", None)) or transformers.CLIPTokenizer


def load_controlnet(folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    """The ControlNet of a complete ``folder``."""
    names = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
    return load_model(diffusers.ControlNetModel, folder, names, dtype)


def load_unet_file(file: Path, folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    """A UNet of the config in ``folder`` with the weights of one file, as fine-tuned models publish them.

    Args:
        file: plain diffusers names; .safetensors, or a pickle of tensors only (read by the restricted unpickler).
        folder: of the UNet whose shape it has.
        dtype: of the weights.

    Raises:
        BadInput: no such file, code in it, or weights of another network.
    """
    if not file.is_file():
        raise BadInput(f"there is no file {str(file)!r}; give the weights of a UNet, .safetensors or .bin")
    state = _read_safetensors(file) if file.suffix == ".safetensors" else read_pickle(file)
    with _explained("unet", folder), torch.device("meta"):
        network = diffusers.UNet2DConditionModel.from_config(read_json(folder / "config.json"))
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for fault, keys in (
        ("lacks", wanted.keys() - state.keys()),
        ("has the unknown", state.keys() - wanted.keys()),
        ("has another shape for", {k for k in wanted.keys() & state.keys() if tuple(state[k].shape) != wanted[k]}),
    ):
        if keys:
            raise BadInput(f"{file} {fault} {len(keys)} tensors of the checkpoint's UNet, first {min(keys)}")
    network.load_state_dict({name: value.to(dtype) for name, value in state.items()}, assign=True)
    _check_weights(network, file)
    return network.eval()


def _read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"{file} cannot be read as weights ({_one_line(error)})") from error


def _check_weights(network: torch.nn.Module, where: Path) -> None:
    """BadInput when a weight is not finite."""
    for name, parameter in network.named_parameters():
        if parameter.numel() and not all(map(math.isfinite, torch.stack(torch.aminmax(parameter)).tolist())):
            raise BadInput(f"{where}: the weights of {name} hold NaN or infinity; the file is damaged, fetch it again")


def load_model(model: type, folder: Path, weights: tuple[str, ...], dtype: torch.dtype) -> torch.nn.Module:
    """One network in ``dtype``, complete and finite, in evaluation mode.

    Raises:
        BadInput: the files are unreadable, hold code, lack weights, or hold NaN or infinity.
    """
    file = hub.weight_file(folder, weights)
    shards = [] if file is None else hub.weight_shards(file)
    safe = all(shard.suffix == ".safetensors" for shard in shards)
    for shard in shards:
        if shard.suffix != ".safetensors":
            read_pickle(shard)
    # Only transformers can go on past tensors of a wrong shape, and only so does it name them (below).
    tolerant = {"ignore_mismatched_sizes": True} if issubclass(model, transformers.PreTrainedModel) else {}
    with _explained(folder.name, folder), quiet_libraries():
        network, info = model.from_pretrained(
            str(folder),
            torch_dtype=dtype,
            use_safetensors=safe,
            local_files_only=True,
            output_loading_info=True,
            variant=None if file is None else hub.variant_of(file, weights),
            **tolerant,
        )
    for fault, keys in (("lack", info["missing_keys"]), ("have the wrong shape for", info["mismatched_keys"])):
        if keys:
            first = min(map(str, keys))
            raise BadInput(f"{folder}: the weights {fault} {len(keys)} of the network's tensors, first {first}")
    _check_weights(network, folder)
    return network.eval()


def rig_of(folder: Path, source: str) -> str:
    """The rig whose views a checkpoint draws: from its index, else from its name, else v1.2.

    The published index of v1.2 says that it was saved from v1.1, so a "v1.1" there means nothing; the UNet's does.
    """
    index = read_json(folder / "model_index.json")
    if "rig" in index:
        return get_rig(str(index["rig"])).name
    unet_origin = str(read_json(folder / "unet" / "config.json").get("_name_or_path", ""))
    index_origin = str(index.get("_name_or_path", ""))
    for name in (source, unet_origin):
        found = re.findall(r"v1\.[12](?![\d.])", name)
        if found:
            return found[-1]
    return "v1.2" if "v1.2" in index_origin else DEFAULT_RIG


def read_json(file: Path) -> dict:
    """A JSON object; BadInput when the file is none."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file} cannot be read as JSON ({_one_line(error)})") from error
    if not isinstance(content, dict):
        raise BadInput(f"{file} holds a {type(content).__name__}; expected a JSON object")
    return content


def _ramp(index: dict, folder: Path) -> list[float]:
    ramp = index.get("ramping_coefficients")
    if not isinstance(ramp, list) or not ramp:
        raise BadInput(
            f"{str(folder)!r} is no Zero123++ checkpoint: model_index.json has no ramping_coefficients "
            f"(it is a {index.get('_class_name', 'model of unknown kind')})"
        )
    if not all(isinstance(w, (int, float)) and math.isfinite(w) for w in ramp):
        raise BadInput(f"{folder}: ramping_coefficients must be finite numbers")
    return [float(w) for w in ramp]


def _tile_size(index: dict) -> int:
    size = index.get("tile_size", DEFAULT_TILE_SIZE)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= 4096:
        raise BadInput(f"model_index.json has tile_size {size!r}; expected pixels between 1 and 4096")
    return size


def _check_match(parts: dict, folder: Path, pictures_in: int) -> None:
    """BadInput unless the parts of a checkpoint were made for one another."""
    text, unet, vae = (parts[name].config for name in ("text_encoder", "unet", "vae"))
    channels = unet.cross_attention_dim
    pairs = {
        "text tokens and ramping_coefficients": (text.max_position_embeddings, len(parts["ramping_coefficients"])),
        "channels of the text and the unet's cross-attention": (text.hidden_size, channels),
        "channels of the vision projection and the text": (parts["vision_encoder"].config.projection_dim, channels),
        "latent channels of the vae and the unet": (pictures_in * vae.latent_channels, unet.in_channels),
        "input and output channels of the unet": (unet.in_channels, pictures_in * unet.out_channels),
    }
    for what, (one, other) in pairs.items():
        if one != other:
            raise BadInput(
                f"{str(folder)!r} is no Zero123++ checkpoint: the numbers of {what} differ, {one} and {other}"
            )


def _scheduler(folder: Path) -> diffusers.SchedulerMixin:
    """The scheduler named by its config, which must be one of diffusers' own."""
    config = read_json(folder / "scheduler_config.json")
    name = config.get("_class_name")
    known = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (isinstance(known, type) and issubclass(known, diffusers.SchedulerMixin)):
        raise BadInput(f"{folder}: {name!r} is no scheduler of diffusers")
    with _explained("scheduler", folder):
        return known.from_config(config)


def read_pickle(file: Path) -> dict[str, torch.Tensor]:
    """Tensors by name; BadInput unless torch's restricted unpickler reads ``file`` and finds nothing else in it."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInput(f"{file} holds more than weights, perhaps code, and was not loaded; use safetensors") from error
    except Exception as error:  # a damaged archive fails in many ways
        raise BadInput(f"{file} cannot be read as weights ({_one_line(error)})") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BadInput(f"{file} is no plain table of weights by name")
    return state


@contextmanager
def _explained(part: str, folder: Path) -> Iterator[None]:
    """Turn whatever a library raises on bad files into one clear line."""
    try:
        yield
    except (Zero123ppError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the libraries raise nearly every type there is on malformed files
        raise BadInput(f"{folder}: the {part} cannot be loaded ({_one_line(error)})") from error


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200]
