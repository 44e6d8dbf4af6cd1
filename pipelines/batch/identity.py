"""What names a result: a hash of everything that decides its bytes."""

import hashlib
import json
from pathlib import Path
from typing import Any

from zero123pp import __version__
from zero123pp.configs import describe, load
from zero123pp.files import expanded
from zero123pp.pipelines.batch.content import content_digest
from zero123pp.pipelines.batch.items import DRAWING, Item
from zero123pp.pipelines.batch.job import BatchSettings
from zero123pp.pipelines.batch.libraries import ALWAYS, HASH_FIELD, REFINEMENT, REMBG, library_versions

FORMAT = 2
"""Of the key; raised when what goes into it changes. Results under older keys are not taken for done."""


def item_key(item: Item, pictures: dict[str, bytes], common: dict[str, Any]) -> str:
    """The name of an item's result, 64 hexadecimal digits.

    Args:
        item: what is asked for.
        pictures: the content of its files, by field.
        common: from `common_identity`.
    """
    facts = {
        "format": FORMAT,
        "pictures": {field: hashlib.sha256(data).hexdigest() for field, data in pictures.items()},
        "asked": {name: getattr(item, name) for name in ("prompt", "rig", "seed", *DRAWING)},
        **common,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def row_key(item: Item) -> str:
    """A name for a row from which no task can be made, from what the row says."""
    facts = [getattr(item, name) for name in ("row", "image", "views", "prompt", "problem")]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "backslashreplace")).hexdigest()


def common_identity(model: str, settings: BatchSettings) -> dict[str, Any]:
    """What all items of a model share.

    These are our version and those of the libraries, the model's revision, the content of weights that the options
    name, the resolved config, and the cutout that 'auto' means with its weights.

    Raises:
        ConfigError: an unknown preset or config value.
        BadInput, MissingBackend: no such model.
    """
    from zero123pp.pipelines.cutout import rembg_is_ready
    from zero123pp.pipelines.image_to_mesh import PipelineConfig

    config = load(PipelineConfig, settings.preset, settings.overrides)
    rembg = rembg_is_ready(config.cutout.rembg_model, config.cutout.download)
    return {
        "version": __version__,
        "libraries": library_versions(_libraries(model, settings, rembg)),
        "model": model_revision(model, settings),
        "options": {name: _option(value) for name, value in sorted(settings.options.items())},
        "config": describe(config),
        "rembg": rembg and _rembg_weights(config.cutout.rembg_model),
    }


def _libraries(model: str, settings: BatchSettings, rembg: bool) -> tuple[str, ...]:
    """The distributions that have a part in the results of this model and config."""
    from zero123pp.pipelines.image_to_mesh import PipelineConfig
    from zero123pp.pipelines.models import model_class

    source = model_class(model)
    config = load(PipelineConfig, settings.preset, (*source.overrides, *settings.overrides))
    names = ALWAYS + source.libraries
    if config.fit.field == "hash":
        names += HASH_FIELD
    if config.refine.use != "never":
        names += REFINEMENT
    return names + REMBG if rembg else names


def _option(value: object) -> str:
    """A choice in words; with its content where it is a file or folder of this machine, such as a UNet's weights."""
    path = expanded(str(value))
    return f"{value} {content_digest(path)}" if path.exists() else str(value)


def _rembg_weights(model: str) -> str:
    """Name of rembg's model and the digest of its file, where that is on this machine already."""
    from zero123pp.pipelines.cutout import model_file

    file = model_file(model)
    return model if file is None else f"{model} {content_digest(file)}"


def model_revision(model: str, settings: BatchSettings) -> str:
    """The model with what pins its weights: a commit of the hub, or a digest of the files."""
    from zero123pp.pipelines.models import model_class

    weights = model_class(model).weights(model, settings.options.get("revision"))
    if weights is None:
        return f"{model} {_bundled_digest()}"
    return f"{model} {weights if isinstance(weights, str) else content_digest(weights)}"


def _bundled_digest() -> str:
    """Of the networks that ship with the package."""
    import zero123pp.pipelines.cutout as cutout
    import zero123pp.recon.prior as prior

    digest = hashlib.sha256()
    for folder in (Path(cutout.__file__).parent, Path(prior.__file__).parent / "weights"):
        for file in sorted(folder.glob("*")):
            if file.suffix in (".onnx", ".safetensors"):
                digest.update(f"{file.name}\0{content_digest(file)}\0".encode())
    return digest.hexdigest()
