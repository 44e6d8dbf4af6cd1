"""Versions of the libraries that decide the bytes of a result."""

from importlib import metadata

ALWAYS = (
    *("numpy", "scipy", "scikit-image", "numba", "llvmlite"),
    *("onnxruntime", "Pillow", "trimesh", "fast-simplification", "manifold3d"),
)
HASH_FIELD = ("torch", "triton", "nerfacc", "tinycudann")
REFINEMENT = ("torch", "nvdiffrast")
REMBG = ("rembg",)


def library_versions(names: tuple[str, ...]) -> dict[str, str | None]:
    """Version of each distribution, None where it is not installed."""
    return {name: _version(name) for name in sorted(set(names))}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
