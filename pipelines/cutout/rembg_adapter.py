"""rembg as a cutout method: a named model, one session per model, nothing downloaded unasked."""

import importlib.util
import os
import sys
import threading
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from zero123pp.errors import MissingBackend
from zero123pp.images import to_float
from zero123pp.pipelines.cutout.alpha import opaque_rgb

if TYPE_CHECKING:
    from zero123pp.pipelines.cutout.config import CutoutConfig

INSTALL = 'pip install "zero123pp[rembg]"'
_SESSIONS = "_zero123pp_rembg_sessions"
_import_lock = threading.Lock()


def rembg_is_ready(model: str, download: bool) -> bool:
    """Whether rembg is installed and its model lies on this machine, or may be downloaded. Imports nothing heavy."""
    return importlib.util.find_spec("rembg") is not None and (download or model_file(model) is not None)


def model_file(model: str) -> Path | None:
    """The model's file where rembg keeps its models; None when it is not there.

    Looks without importing rembg, by its rules: the root is U2NET_HOME, else REMBG_HOME, else a folder in the user's
    home; models lie in a folder of their own, or flat as in older releases.
    """
    if not model.replace("-", "").replace("_", "").isalnum():
        return None  # a name, never a path
    return next((place for place in _model_places(model) if place.is_file()), None)


def _model_places(model: str) -> list[Path]:
    environ, home = os.environ, Path.home()
    data = environ.get("XDG_DATA_HOME")
    legacy = environ.get("U2NET_HOME") or Path(data or home) / ".u2net"
    root = environ.get("U2NET_HOME") or environ.get("REMBG_HOME") or (Path(data) / "rembg" if data else home / ".rembg")
    root, legacy = Path(root).expanduser(), Path(legacy).expanduser()
    file = f"{model}.onnx"
    return [root / "models" / model / file, root / file, legacy / file]


def rembg_alpha(image: np.ndarray, config: "CutoutConfig") -> tuple[np.ndarray, str]:
    """Alpha (H, W) float32 by rembg's model ``config.rembg_model``.

    Raises:
        MissingBackend: rembg or the model's file is not here, and no download was agreed to.
    """
    from PIL import Image

    session = _session(config.rembg_model, config.may_download)
    masks = session.predict(Image.fromarray(opaque_rgb(image)))
    alpha = np.max([to_float(np.asarray(mask.convert("L"))) for mask in masks], axis=0)
    return alpha, f"rembg:{config.rembg_model}"


@lru_cache(maxsize=2)
def _session(model: str, download: bool) -> Any:
    """The loaded model; kept, because loading takes longer than a picture."""
    if importlib.util.find_spec("rembg") is None:
        raise MissingBackend(f"cutout.method=rembg needs rembg, which is not installed: {INSTALL}")
    sessions = {each.name(): each for each in _rembg_sessions().sessions_class}
    if model not in sessions or not sessions[model].is_local():
        local = sorted(name for name, each in sessions.items() if each.is_local() and "custom" not in name)
        raise MissingBackend(f"rembg has no local model {model!r}; set cutout.rembg_model to one of {', '.join(local)}")
    file = model_file(model)
    if file is None and not download:
        raise MissingBackend(
            f"rembg's model {model} is not at {_model_places(model)[0]}; agree to its download with "
            "cutout.download=true or ZERO123PP_DOWNLOAD=1, or run: rembg d " + model
        )
    return _open(sessions[model], file)


def _open(session_class: type, file: Path | None) -> Any:
    import onnxruntime

    if file is not None:  # rembg's own search differs between releases, and ends in a download
        session_class = type(
            session_class.__name__, (session_class,), {"download_models": classmethod(lambda *_, **__: file)}
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    return session_class(session_class.name(), options, providers=["CPUExecutionProvider"])


def _rembg_sessions() -> ModuleType:
    """The package of rembg's models, loaded under a name of its own, without what surrounds it.

    ``import rembg`` also imports pymatting, which compiles itself for a minute and more the first time; only rembg's
    alpha matting would use that, and it is not used here. Its models (``rembg/sessions``) import nothing but each
    other, onnxruntime and Pillow.
    """
    with _import_lock:
        if _SESSIONS in sys.modules:
            return sys.modules[_SESSIONS]
        package = Path(str(importlib.util.find_spec("rembg").origin)).parent / "sessions"
        spec = importlib.util.spec_from_file_location(
            _SESSIONS, package / "__init__.py", submodule_search_locations=[str(package)]
        )
        sessions = importlib.util.module_from_spec(spec)
        sys.modules[_SESSIONS] = sessions
        try:
            spec.loader.exec_module(sessions)
        except BaseException:
            del sys.modules[_SESSIONS]
            raise
        return sessions
