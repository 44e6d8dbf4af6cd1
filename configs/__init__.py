"""Strict loading of presets: YAML files that hold values only, laid over the defaults of nested dataclasses.

Each stage's config dataclass stands beside the function that reads it; a preset has the same nesting and names no
classes. Unknown keys, wrong types and values out of range raise ConfigError with the file and the key path.
"""

import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from zero123pp.configs.renamed import advice
from zero123pp.errors import ConfigError

Config = TypeVar("Config")


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    files = resources.files("zero123pp.configs").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def load(cls: type[Config], preset: str | Path = "default", overrides: Iterable[str] = ()) -> Config:
    """The config ``cls`` with the values of a preset and then of ``overrides``.

    Args:
        cls: a dataclass whose every field has a default; nested dataclasses are nested mappings in the preset.
        preset: a name from `preset_names`, or the path of a YAML file (ends in .yaml or .yml).
        overrides: texts like ``"fit.steps=200"``; the value is read as YAML.

    Raises:
        ConfigError: unknown preset or key, wrong type, or a value that the dataclass refuses.
    """
    config = _merge(cls(), _read_preset(preset), where=f"preset {preset}", path="")
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override!r} is not of the form key=value, for example fit.steps=200")
        config = _merge(config, _nested(key.strip(), _parse(text, f"--set {override}")), f"--set {override}", "")
    return config


def describe(config: object, prefix: str = "") -> dict[str, Any]:
    """All values of a config as {'stage.field': value}, in order."""
    flat: dict[str, Any] = {}
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        flat |= describe(value, f"{prefix}{field.name}.") if is_dataclass(value) else {prefix + field.name: value}
    return flat


def _read_preset(preset: str | Path) -> Mapping[str, Any]:
    if str(preset).endswith((".yaml", ".yml")):
        try:
            text = Path(preset).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read preset file {preset}: {error}") from error
    elif str(preset) in preset_names():
        text = resources.files("zero123pp.configs").joinpath(f"{preset}.yaml").read_text(encoding="utf-8")
    else:
        near = get_close_matches(str(preset), preset_names(), 1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(preset_names())} or a .yaml file"
        raise ConfigError(f"unknown preset {str(preset)!r}; {hint}")
    values = _parse(text, f"preset {preset}") or {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"preset {preset} holds {type(values).__name__}; expected a mapping of stages to values")
    return values


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none, brackets without end
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())[:200]}") from error


_DEEPEST = 32
"""Groups within groups; configs have three."""


def _nested(key: str, value: Any) -> dict[str, Any]:
    if key.count(".") > _DEEPEST:
        raise ConfigError(f"--set {key[:40]}...: {key.count('.')} groups within groups; expected stage.key=value")
    head, _, rest = key.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _merge(config: Any, values: Mapping[str, Any], where: str, path: str) -> Any:
    hints = get_type_hints(type(config))
    changed = {}
    for key, value in values.items():
        full = f"{path}{key}"
        if key not in hints:
            known_once = advice(_first_path(full, value))
            if known_once:
                raise ConfigError(f"{where}: {known_once}")
            close = get_close_matches(str(key), hints, n=1)
            hint = f"did you mean {path}{close[0]}?" if close else f"known keys: {', '.join(path + k for k in hints)}"
            raise ConfigError(f"{where}: unknown key {full}; {hint}")
        current = getattr(config, key)
        if is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}: {full} is a group of values, got {value!r}; set {full}.<key> instead")
            changed[key] = _merge(current, value, where, f"{full}.")
        else:
            changed[key] = _checked(value, hints[key], f"{where}: {full}")
    try:
        return replace(config, **changed)
    except ConfigError as error:
        said = str(error)  # of the key, or of its whole path
        raise ConfigError(f"{where}: {said if said.startswith(path) else path + said}") from error


def _first_path(path: str, value: Any) -> str:
    """The dotted path of the first value in a group that no config has: that is what somebody wrote."""
    for _ in range(_DEEPEST):  # an alias within itself has no end
        if not isinstance(value, Mapping) or not value:
            break
        key, value = next(iter(value.items()))
        path = f"{path}.{key}"
    return path


def _checked(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the type ``hint``; ConfigError if it is of another type."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _checked(value, next(arg for arg in args if arg is not type(None)), where)
    if origin is Literal:
        if isinstance(value, bool):  # YAML 1.1 reads on and off as such
            value = "on" if value else "off"
        if value in args:
            return value
        raise ConfigError(f"{where} is {value!r}; choose one of {', '.join(map(str, args))}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} is {value!r}; expected a list such as [32, 64]")
        return tuple(_checked(item, args[0], where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):
        try:  # YAML 1.1 reads 1e-3 as text
            return float(value)
        except ValueError:
            pass
    if type(value) is not hint:
        raise ConfigError(f"{where} is {value!r} ({type(value).__name__}); expected {hint.__name__}")
    return value
