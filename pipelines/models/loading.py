"""Choosing the multi-view source: by name, by folder, by hub id, or the best one that is here."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zero123pp.errors import BadInput

if TYPE_CHECKING:
    from zero123pp.pipelines.models.contract import MultiViewModel

_DOWNLOAD_VARIABLE = "ZERO123PP_DOWNLOAD"


@dataclass(frozen=True)
class GivenViews:
    """Stands in for a model where the views were given."""

    name: str
    licence: str = "of the given views"
    note: str = ""


def may_download(download: bool = False) -> bool:
    """Whether the user agreed to downloads, by argument or by ZERO123PP_DOWNLOAD=1."""
    return download or os.environ.get(_DOWNLOAD_VARIABLE, "") == "1"


def resolve_auto(download: bool = False) -> str:
    """The model that 'auto' means on this machine, now."""
    from zero123pp.pipelines.models.registry import NEWEST
    from zero123pp.pipelines.models.zero123plus import is_cached

    return NEWEST if is_cached(NEWEST) or may_download(download) else "preview"


def load_model(
    name: str, *, device: str = "auto", dtype: str = "auto", download: bool = False, **options: object
) -> "MultiViewModel":
    """The multi-view model called ``name``.

    Args:
        name: 'auto', a key of `zero123pp.pipelines.models.MODELS`, a checkpoint folder or a hub id.
        device: 'auto', 'cpu' or 'cuda'.
        dtype: 'float32', 'float16', 'bfloat16', or 'auto' for the device's own choice.
        download: agree to download weights that are not here.
        options: the other fields of `zero123pp.pipelines.models.options.ModelOptions`, for models that have them.

    Raises:
        BadInput: unknown device or model, or an option that the model does not have.
        MissingBackend: the diffusion libraries are not installed, or weights are not here and may not be downloaded.
    """
    from zero123pp.options import record_from
    from zero123pp.pipelines.models.options import Generation, ModelOptions
    from zero123pp.pipelines.models.registry import model_class

    if device not in ("auto", "cpu", "cuda"):
        raise BadInput(f"unknown device {device!r}; choose auto, cpu or cuda")
    name = resolve_auto(download) if name == "auto" else name
    download = may_download(download or bool(options.pop("allow_download", False)))
    options |= {"device": device, "dtype": dtype, "allow_download": download}
    chosen, source = record_from(ModelOptions, options, Generation), model_class(name)
    chosen.refuse_for(name, source.loading_options)
    return source.load(name, chosen)
