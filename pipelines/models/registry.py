"""The multi-view sources by name.

A new source is one file with a subclass of `MultiViewModel`, and one line in `MODELS`.
"""

from pkgutil import resolve_name

from zero123pp.pipelines.models.contract import MultiViewModel

NEWEST = "zero123plus-v1.2"
"""Of the official checkpoints: what 'auto' looks for."""

MODELS: dict[str, str | type[MultiViewModel]] = {
    "preview": "zero123pp.pipelines.models.one_view:OneViewModel",
    "inflated": "zero123pp.pipelines.models.inflated:InflatedModel",
    "zero123plus-v1.1": "zero123pp.pipelines.models.zero123plus:Zero123PlusModel",
    "zero123plus-v1.2": "zero123pp.pipelines.models.zero123plus:Zero123PlusModel",
}
"""Name to class, or to ``module:class`` of one that is imported when it is wanted."""


def model_class(name: str) -> type[MultiViewModel]:
    """The class of the model called ``name``; checkpoint folders and hub ids are Zero123++ checkpoints."""
    entry = MODELS.get(name, MODELS[NEWEST])
    return resolve_name(entry) if isinstance(entry, str) else entry
