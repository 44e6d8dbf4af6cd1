"""The recipe of Zero123++'s training as values; presets lie in ``configs/train``."""

from dataclasses import dataclass, field
from importlib import resources
from typing import Literal

from zero123pp.errors import ConfigError
from zero123pp.train import Recipe, scheduled_rate
from zero123pp.train.multiview.first_stage import FirstStageErrors
from zero123pp.train.multiview.objective import Prediction
from zero123pp.train.multiview.phases import Phase


@dataclass(frozen=True)
class ViewsTrainConfig(Recipe):
    """Recipe of one phase. A step has batch x accumulate x processes samples."""

    phase: Phase = "phase1"
    """What is trained: phase1, phase2, all, depth, normals, refine1 or refine2."""
    start: str = ""
    """Weights to start from: a Zero123++ or Stable Diffusion 2 folder or hub id; "mini" builds a small random model."""
    vision: str = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
    """CLIP image encoder (folder or hub id) that Stable Diffusion 2 is joined with; its projection must be as wide as
    the text states (1024). A Zero123++ folder brings its own."""
    steps: int = 50_000
    batch: int = 16
    accumulate: int = 1
    """Parts of a step whose gradients are added up, for batches that do not fit. The report's batch is 256 in all."""
    learning_rate: float = 7e-5
    warmup: int = 1000
    decay: float = 1.0
    rate_shape: Literal["linear", "cosine"] = "cosine"
    """How the rate falls over the share ``decay`` of the steps. The report: cosine in phase 1, constant in phase 2."""
    ema: float = 0.9999
    prediction: Prediction = "v"
    """What the network predicts: v, or epsilon in a refiner; anything else is for experiments, which nothing here
    samples."""
    refines: Literal["tile", "sheet"] = "tile"
    """What a refiner draws over at once: one view, or all six."""
    noisiest: float = 1.0
    """Share of the noise schedule that is trained, from its quiet end on; a refiner needs no more than ``strength``."""
    strength: float = 0.3
    """Share of the noise schedule at which a refiner starts from the first stage's sheet: it is trained for that start
    (`zero123pp.train.multiview.conditions`), and the exported folder says so."""
    first_stage: str = ""
    """Folder of sheets KEY.png that the first stage drew of the samples' queries; what has none there, and all where
    this is empty, is made from the true sheet by ``errors``."""
    errors: FirstStageErrors = field(default_factory=FirstStageErrors)
    min_snr_gamma: float = 5.0
    """Cap of the signal-to-noise ratio in the loss (zero123plus issue 90); 0 counts all noise levels alike."""
    min_snr_floor: float = 0.0
    """Smallest weight of a noise level. The weights above fall to 0.002 at the noisiest step; a small model trained
    from nothing then learns no layout."""
    timesteps: Literal["uniform", "even"] = "uniform"
    """Steps of a batch drawn one by one, or evenly spread with one common offset, which is the same in the mean and
    less noisy in small batches."""
    drop: float = 0.1
    """Share of samples that lose both conditions, for classifier-free guidance (InstantMesh; the report gives none)."""
    null: Literal["gray", "black"] = "gray"
    """The reference picture of those: gray is what sampling uses, black what InstantMesh's training used."""
    train_ramp: bool = True
    """Train the image's weights at the text tokens too."""
    train_vision: bool = False
    """Train the image encoder too; for small models from scratch."""
    query_px: tuple[int, ...] = (128, 512)
    """Smallest and largest side to which the query is resized before it is encoded, px, so that the model learns not
    to depend on the resolution (InstantMesh); [] leaves it as it is."""
    tile_px: int = 0
    """Side of one target view, px; 0 for the checkpoint's own."""
    background: int = 127
    """Gray behind queries and targets; InstantMesh uses 255."""
    recolour: float = 0.0
    """Share of samples whose colour channels are permuted, in the query and the targets alike."""
    balance: float = 1.0
    """Groups of meshes (the name before the first "_") are drawn in proportion to their size to this power: 1 takes
    every sample once an epoch, less favours small groups."""
    codec_steps: int = 1500
    """Steps in which the VAE's decoder is fitted, where a small model is built; its encoder is computed."""
    codec_batch: int = 3
    """Samples (of seven tiles) of each of these steps."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: about a third slower, a fraction of the memory."""
    attention: Literal["auto", "fused", "plain"] = "auto"
    """Torch's fused kernels or plain products of matrices; auto takes the first except in bfloat16 on processors, where
    their backward pass is slow."""
    save_every: int = 500
    workers: int = 4
    log_every: int = 50
    """Steps between entries of log.jsonl; there is one at each checkpoint too, so that a resumed run averages over the
    same steps as one that was never stopped."""
    validate_every: int = 1000
    """Steps between validations on held-out meshes; 0 for none."""
    validation_batches: int = 4
    """Batches of each validation."""
    sample_every: int = 5000
    """Steps between sample sheets of held-out meshes; 0 for none."""
    sample_steps: int = 28
    """Denoising steps of the sample sheets."""
    sample_guidance: float = 4.0
    """Guidance of the sample sheets."""
    tensorboard: bool = False
    """Also write TensorBoard's events (needs the package tensorboard)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.query_px and not (len(self.query_px) == 2 and 0 < self.query_px[0] <= self.query_px[1]):
            raise ConfigError(f"query_px is {list(self.query_px)}; expected [smallest, largest] or []")
        if min(self.accumulate, self.log_every) < 1:
            raise ConfigError("accumulate and log_every must be at least 1")
        for name in ("noisiest", "strength"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a share above 0, at most 1")
        for name in ("drop", "recolour", "ema", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a share from 0 to 1")

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return scheduled_rate(
            self.learning_rate, step, self.steps, warmup=self.warmup, decay=self.decay, shape=self.rate_shape
        )


def preset_names() -> list[str]:
    """Names of the training presets that come with the package."""
    files = (resources.files("zero123pp.configs") / "train").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def preset_path(name: str) -> str:
    """The file of a training preset, or ``name`` itself when it is a YAML file.

    Raises:
        ConfigError: neither.
    """
    if name.endswith((".yaml", ".yml")):
        return name
    if name not in preset_names():
        known = ", ".join(preset_names())
        raise ConfigError(f"unknown training preset {name!r}; choose one of {known}, or a .yaml file")
    return str(resources.files("zero123pp.configs") / "train" / f"{name}.yaml")
