"""What names a result: a hash of everything that decides its bytes."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from zero123pp import __version__
from zero123pp.configs import describe, load
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.batch.items import Item
from zero123pp.pipelines.batch.job import BatchSettings

FORMAT = 1
"""Of the key; raised when what goes into it changes."""
_WHOLE_BYTES = 2**20
"""Larger files of a checkpoint folder are told apart by their size and their first and last part of this size."""


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
        "asked": {name: getattr(item, name) for name in ("prompt", "rig", "seed", "steps", "guidance")},
        **common,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def row_key(item: Item) -> str:
    """A name for a row from which no task can be made, from what the row says."""
    facts = [getattr(item, name) for name in ("row", "image", "views", "prompt", "problem")]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "backslashreplace")).hexdigest()


def common_identity(model: str, settings: BatchSettings) -> dict[str, Any]:
    """What all items of a model share: version, model revision, resolved config, and the cutout that 'auto' means.

    Raises:
        ConfigError: an unknown preset or config value.
        BadInput, MissingBackend: no such model.
    """
    from zero123pp.pipelines.cutout.rembg_adapter import rembg_is_ready
    from zero123pp.pipelines.image_to_mesh import PipelineConfig

    config = load(PipelineConfig, settings.preset, settings.overrides)
    return {
        "version": __version__,
        "model": model_revision(model, settings),
        "options": {name: str(value) for name, value in sorted(settings.options.items())},
        "config": describe(config),
        "rembg": rembg_is_ready(config.cutout.rembg_model, config.cutout.download),
    }


def model_revision(model: str, settings: BatchSettings) -> str:
    """The model with what pins its weights: a commit of the hub, or a digest of the files."""
    from zero123pp.diffusion import hub
    from zero123pp.pipelines.models import MODELS
    from zero123pp.pipelines.models.zero123plus import OFFICIAL

    if model in MODELS and model not in OFFICIAL:
        return f"{model} {_bundled_digest()}"
    source = Path(OFFICIAL.get(model, model)).expanduser()
    if source.is_dir():
        return f"{model} {_folder_digest(str(source.resolve()))}"
    name = OFFICIAL.get(model, model)
    if not hub.is_hub_id(name):
        raise BadInput(f"there is no model {model!r}; choose {', '.join(MODELS)}, a checkpoint folder or a hub id")
    folder = hub.cached_folder(name, hub.PIPELINE, revision=settings.options.get("revision"))
    if folder is None:
        raise MissingBackend(f"{model!r} is not on this machine; make one picture with --download first")
    return f"{model} {folder.name}"


@cache
def _bundled_digest() -> str:
    """Of the networks that ship with the package."""
    import zero123pp.pipelines.cutout as cutout
    import zero123pp.recon.prior as prior

    digest = hashlib.sha256()
    for folder in (Path(cutout.__file__).parent, Path(prior.__file__).parent / "weights"):
        for file in sorted(folder.glob("*")):
            if file.suffix in (".onnx", ".safetensors"):
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _folder_digest(folder: str) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder)}\0{size}\0".encode())
        with open(file, "rb") as opened:
            digest.update(opened.read(_WHOLE_BYTES))
            if size > _WHOLE_BYTES:
                opened.seek(-_WHOLE_BYTES, 2)
                digest.update(opened.read(_WHOLE_BYTES))
    return digest.hexdigest()[:16]
