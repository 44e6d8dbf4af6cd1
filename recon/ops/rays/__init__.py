"""Back-ends of marching rays through occupied space and of compositing what is found there.

One module per back-end, each with

* ``march(origins, directions, near, far, state, step, offset) -> (ray, distance)``
* ``composite(alpha, ray, count) -> (weight, passes)``
* where importing it is not enough, ``cause() -> str | None`` (why it cannot be used here).

``reference`` (a loop over rays) is the specification; the others are tested against it. ``packed`` is plain torch on
any device and needs nothing compiled. A new back-end is one file and one line in `BACKENDS`.
"""

from types import ModuleType

from zero123pp.recon.ops.choice import first_usable

__all__ = ["BACKENDS", "EMPTY", "SOLID", "SURFACE", "choose"]

BACKENDS = {
    "nerfacc": ("zero123pp.recon.ops.rays.nerfacc_cuda", "cuda", "build nerfacc as docs/gpu.md says"),
    "packed": ("zero123pp.recon.ops.rays.packed", "any", "pip install 'zero123pp[diffusion]' (torch)"),
    "reference": ("zero123pp.recon.ops.rays.reference", "any", "pip install 'zero123pp[diffusion]' (torch)"),
}
"""Name -> (module, kind of device it is for, how to install what it needs), in the order in which ``auto`` tries."""

EMPTY, SURFACE, SOLID = 0, 1, 2
"""States of a cell of space: nothing is there; a surface may be there, so rays take samples; rays end there."""


def choose(name: str = "auto", device: str = "cpu") -> tuple[str, ModuleType]:
    """The back-end called ``name``, or for "auto" the first that works on ``device``: its name and its module.

    Raises:
        ConfigError: there is no back-end of that name.
        MissingBackend: it cannot be used here; the message has the cause and the install line.
    """
    return first_usable("ray marcher", BACKENDS, name, device)
