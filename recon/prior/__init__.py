"""One picture comes in, a guess at the solid behind it goes out: by a network, or by inflating the outline."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "inflate": ["InflateConfig", "Inflated", "behind_picture", "inflate"],
        "one_view.crop": ["network_input"],
        "one_view.guess": ["OneViewSolid", "Wishes", "one_view_solid"],
        "one_view.maps": ["Maps", "OneViewNetwork", "bundled_one_view", "mean_of_mirrored"],
        "one_view.solid": ["SolidConfig"],
        "one_view.view_normals": ["ViewNormalsConfig", "with_guessed_normals"],
    },
)
