"""Back-ends of the fit: losses of rays through a field, with their gradients.

``rays`` and ``nodes`` (Numba, one thread each, without the interpreter's lock) are what runs on a CPU;
``reference`` (torch, readable, slow) is their specification and the oracle of their tests.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["nodes", "rays", "surface"],
    submod_attrs={
        "rays": ["BAND"],
        "reference": ["section_alpha"],
    },
)
