"""Which back-end of a family is used: the one asked for, or the first that works."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from zero123pp.errors import ConfigError, MissingBackend

Backends = Mapping[str, tuple[str, str, str]]
"""Name -> (module, kind of device it is for: "cpu", "cuda" or "any", how to install what it needs)."""


def first_usable(family: str, backends: Backends, name: str, device: str) -> tuple[str, ModuleType]:
    """The back-end called ``name``, or for "auto" the first that works on ``device``: its name and its module.

    Args:
        family: what the back-ends are, for messages.
        backends: in the order in which "auto" tries them.
        name: a key of ``backends`` or "auto".
        device: where the data are, such as "cpu" or "cuda:0".

    Raises:
        ConfigError: there is no back-end of that name.
        MissingBackend: it cannot be used here; the message has the cause and the install line.
    """
    if name != "auto" and name not in backends:
        raise ConfigError(f"unknown {family} {name!r}; choose one of auto, {', '.join(backends)}")
    failures = []
    for candidate in backends if name == "auto" else [name]:
        cause = why_not(backends, candidate, device)
        if cause is None:
            return candidate, import_module(backends[candidate][0])
        failures.append(f"{family} {candidate!r} cannot be used: {cause}")
    raise MissingBackend("; ".join(failures))


def _nothing() -> None:
    """The cause of a module that has none of its own: it works wherever it can be imported."""


def why_not(backends: Backends, name: str, device: str) -> str | None:
    """Why a back-end cannot be used on ``device`` and what to do about it; None where it can."""
    module, suits, install = backends[name]
    kind = device.partition(":")[0]
    if suits not in ("any", kind):
        return f"it is for {suits} and this is {kind}"
    try:
        cause = getattr(import_module(module), "cause", _nothing)()
    except ImportError as error:
        cause = str(error)
    return None if cause is None else f"{cause}; try: {install}"
