"""Training recipes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "encoder": ["ENCODER_CHANNELS", "ENCODER_PACE", "Encoder", "packaged_weights"],
        "held_out": ["is_held_out"],
        "log": ["append_log", "rewind_log"],
        "onnx_graphs": ["parameters_of", "save_with_shared_weights", "traced"],
        "recipe": ["Recipe"],
        "weights": ["PartialWeights", "TrainedWeights", "WEIGHT_ERRORS", "load_checkpoint", "scheduled_rate"],
    },
)
