"""A clean mesh and posed views come in, the mesh with its vertices moved to agree with their pixels goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"refinement": ["RefineConfig", "refine", "wanted"]}
)
