"""Back-ends of the multiresolution hash encoding: features of points from tables of learned entries.

Mueller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding", SIGGRAPH 2022, section 3.

One module per back-end, each with ``encode(points, table, layout, active, slopes) -> (features, slopes or None)``
and, where importing it is not enough, ``cause() -> str | None`` (why it cannot be used here). ``reference`` (torch, any
device) is the specification; the others are tested against it. A new back-end is one file and one line in `BACKENDS`.
"""

from types import ModuleType

from zero123pp.recon.ops.choice import first_usable
from zero123pp.recon.ops.encoding.layout import HashLayout

__all__ = ["BACKENDS", "HashLayout", "choose"]

BACKENDS = {
    "tinycudann": ("zero123pp.recon.ops.encoding.tcnn", "cuda", "build tiny-cuda-nn as docs/gpu.md says"),
    "triton": (
        "zero123pp.recon.ops.encoding.triton_gpu",
        "cuda",
        "pip install triton (comes with CUDA builds of torch)",
    ),
    "numba": ("zero123pp.recon.ops.encoding.numba_cpu", "cpu", "pip install numba"),
    "reference": ("zero123pp.recon.ops.encoding.reference", "any", "pip install 'zero123pp[diffusion]' (torch)"),
}
"""Name -> (module, kind of device it is for, how to install what it needs), in the order in which ``auto`` tries."""


def choose(name: str = "auto", device: str = "cpu") -> tuple[str, ModuleType]:
    """The back-end called ``name``, or for "auto" the first that works on ``device``: its name and its module.

    Raises:
        ConfigError: there is no back-end of that name.
        MissingBackend: it cannot be used here; the message has the cause and the install line.
    """
    return first_usable("encoding", BACKENDS, name, device)
