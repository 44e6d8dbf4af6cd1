"""Zero123++ as a diffusers pipeline."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["control", "hub", "latents", "loading"],
    submod_attrs={
        "conditioning": ["add_image", "text_states"],
        "control": ["control_residuals"],
        "depth_picture": ["depth_picture", "disparity_picture"],
        "hub": ["is_hub_id"],
        "latents": ["scale_image", "scale_latents", "unscale_latents"],
        "pipeline": ["Zero123PlusPipeline"],
        "preprocess": ["ImagePreprocessor", "on_gray", "resized"],
        "quiet": ["quiet_libraries"],
        "reference": ["install_reference_attention", "noised_reference", "read_reference", "write_reference"],
        "sheet_refiner": ["MODES", "SheetRefinerPipeline", "beside_first_stage", "first_stage_tiles", "refiner_of"],
        "schedule": ["shipped_euler_ancestral", "trailing_euler_ancestral", "trailing_sampler", "training_sigmas"],
    },
)
