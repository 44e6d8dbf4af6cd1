"""Training of Zero123++ on rendered views: the report's phases, its ControlNets, and small models from scratch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["ViewsTrainConfig", "preset_path"],
        "export": ["export_model"],
        "loop": ["process_state", "train"],
        "phases": ["REFINING"],
        "scratch": ["SMALL", "build_start", "refit_decoder"],
        "start": ["open_start"],
        "state": ["CHECKPOINT"],
    },
)
