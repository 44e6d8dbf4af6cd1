"""A closed mesh and posed views come in, the mesh with an atlas and a baked texture goes out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "kept": ["KeptMesh", "colored", "kept_mesh"],
        "normal_map": ["with_normal_map"],
        "occlusion": ["occlusion_of"],
        "tangents": ["with_tangents"],
        "texture": ["TextureConfig", "texture"],
    },
)
