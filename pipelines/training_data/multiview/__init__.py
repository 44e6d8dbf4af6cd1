"""Meshes and environment maps come in, training samples of Zero123++ go out: a query and the six views of a rig."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attempts": ["Attempts"],
        "job": ["Job", "keep_settings", "read_panorama"],
        "layouts": ["FAILURES", "InstantMeshFolders", "Layout", "TarShards"],
        "objaverse": ["Cache", "ObjaverseFilter", "chosen_once"],
        "render_pass": ["exposure_of"],
        "shot": ["developed", "shoot"],
        "surface": ["Surface"],
    },
)
