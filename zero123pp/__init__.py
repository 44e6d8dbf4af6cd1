"""One picture in, one textured 3D mesh out.

``import zero123pp`` is cheap: public names load on first use, and heavy libraries only inside what uses them.
"""

from importlib import import_module
from pathlib import Path

from zero123pp import kernel_cache

__version__ = "0.1.0"

_ROOT = Path(__file__).resolve().parent.parent
if (_ROOT / "pyproject.toml").is_file() and (_ROOT / "recon").is_dir():
    # In a checkout `recon/`, `pipelines/` and `configs/` lie beside this folder; an installed wheel has them inside.
    __path__.append(str(_ROOT))

kernel_cache.provide()

_PUBLIC = {
    "ImageTo3D": "zero123pp.pipelines.image_to_mesh",
    "Zero123PlusPipeline": "zero123pp.diffusion.pipeline",
    "Camera": "zero123pp.types",
    "Cutout": "zero123pp.types",
    "View": "zero123pp.types",
    "MultiView": "zero123pp.types",
    "Mesh": "zero123pp.types",
    "TexturedMesh": "zero123pp.types",
    "RIGS": "zero123pp.rigs",
    "Zero123ppError": "zero123pp.errors",
    "BadInput": "zero123pp.errors",
    "ConfigError": "zero123pp.errors",
    "MissingBackend": "zero123pp.errors",
    "StageFailed": "zero123pp.errors",
    "Cancelled": "zero123pp.errors",
}
__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'zero123pp' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
