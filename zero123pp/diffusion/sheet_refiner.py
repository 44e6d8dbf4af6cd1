"""The second stage (report, section 5): a sheet is drawn over, finer, by a network that predicts noise.

Zero123++ predicts v, which is good at the layout of a sheet; networks that predict noise are good at local detail. The
refiner starts from the first stage's sheet with some noise on it, as image-to-image does (SDEdit, Meng et al. 2021),
and takes that noise off again in larger tiles. It is told what the first stage was told, by the same means: the input
picture through reference attention and the global condition. And it is told the first stage's sheet itself, whose
latents lie beside the noised ones in the UNet's input (as InstructPix2Pix does, Brooks et al. 2022); the reference,
which has no first stage, has zeros there.
"""

from collections.abc import Mapping
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, ImagePipelineOutput
from PIL import Image

from zero123pp.diffusion import conditioning, latents, loading, schedule
from zero123pp.diffusion.checks import check_call, check_finite
from zero123pp.diffusion.noise import NoiseSource
from zero123pp.diffusion.pipeline import Picture, StepCallback, Zero123PlusPipeline
from zero123pp.diffusion.preprocess import on_gray, resized
from zero123pp.diffusion.step_cache import StepCache
from zero123pp.errors import BadInput
from zero123pp.images import tile_sheet, untile_sheet

MODES = ("tile", "sheet")
"""What is drawn over together: each view for itself, or all six, whose tokens then attend to each other."""

SCHEDULE = {
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000,
    "timestep_spacing": "trailing",
}  # fmt: skip
"""Stable Diffusion's own, which spends more steps on little noise than Zero123++'s (report, section 2.3)."""

DEFAULT_STRENGTH = 0.3


def refining_scheduler(prediction: str = "epsilon") -> EulerDiscreteScheduler:
    """The refiner's scheduler: no noise is added after the first, so that what is known stays."""
    kind = {"v": "v_prediction", "epsilon": "epsilon", "x0": "sample"}[prediction]
    return EulerDiscreteScheduler(**SCHEDULE, prediction_type=kind)


class SheetRefinerPipeline(Zero123PlusPipeline):
    """A Zero123++ pipeline that draws over sheets; made by `refiner_of`, or loaded from the folder of one."""

    pictures_in = 2
    mode, strength = "tile", DEFAULT_STRENGTH
    """Of calls that say nothing."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: object) -> "SheetRefinerPipeline":
        """See `Zero123PlusPipeline.from_pretrained`; the checkpoint says in which mode and how strongly it draws."""
        pipeline = super().from_pretrained(pretrained_model_name_or_path, **options)
        where = {name: options[name] for name in ("revision", "cache_dir", "token") if name in options}
        folder = loading.hub.find_checkpoint(
            str(pretrained_model_name_or_path), loading.hub.PIPELINE, local_files_only=True, **where
        )
        return pipeline.set_defaults(loading.read_json(folder / "model_index.json"))

    def set_defaults(self, values: Mapping[str, object]) -> "SheetRefinerPipeline":
        """Take ``mode`` and ``strength`` of an index for those of calls that say nothing; returns itself."""
        mode, strength = values.get("mode", "tile"), values.get("strength", DEFAULT_STRENGTH)
        _check(mode, strength, 1)
        self.mode, self.strength = mode, strength
        return self

    @torch.no_grad()
    def __call__(
        self,
        sheet: Picture,
        image: Picture,
        *,
        mode: str | None = None,
        strength: float | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 1.0,
        draws: int = 1,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        callback_on_step_end: StepCallback | None = None,
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple:
        """Draw a sheet over.

        Args:
            sheet: of the first stage, RGB or RGBA, 3 rows x 2 columns of tiles of any size.
            image: what the first stage was given.
            mode: one of `MODES`; None for the one that the checkpoint was trained in.
            strength: share of the steps of ``num_inference_steps`` that are made, from noise of that level on; 1 keeps
                nothing but what the network is told. None for the checkpoint's own.
            num_inference_steps: on the whole way from pure noise.
            guidance_scale: of the input picture; 1 or less leaves the other half out.
            draws: how often it is drawn, each time under other noise; the mean of the latents is the result, with less
                grain, and with less detail where draws disagree.
            generator: all randomness comes from it.
            output_type: "pil", "np" or "latent", see `Zero123PlusPipeline.__call__`.
            callback_on_step_end: likewise; it gets "latents".
            return_dict: False for the tuple ``(images,)``.

        Returns:
            An object whose ``images`` hold one sheet of the checkpoint's tiles; as "latent", what was drawn together:
            (6 or 1, C, h, w).

        Raises:
            BadInput: an argument that cannot be used.
            StageFailed: the sampling left the range of the number type.
        """
        mode, strength = self.mode if mode is None else mode, self.strength if strength is None else strength
        _check(mode, strength, num_inference_steps)
        size = {"num_inference_steps": num_inference_steps, "draws": draws}
        check_call(self._vae_factor, output_type, size, {"guidance_scale": guidance_scale})
        pixels = first_stage_tiles(sheet, self.tile_size, self.config.input_background)
        pictures = torch.from_numpy(pixels if mode == "tile" else tile_sheet(pixels)[None])
        pictures, device = pictures.permute(0, 3, 1, 2), self._execution_device
        noise = NoiseSource(generator, len(pictures), device=device, dtype=torch.float32)
        rgb = on_gray(image, background=self.config.input_background)
        texts = conditioning.Texts([""], [""])
        conditions = self._encode([rgb], texts, noise, len(pictures), guidance_scale > 1)
        first = latents.encode(self.vae, pictures.to(device)).float()

        made = min(num_inference_steps, max(1, round(strength * num_inference_steps)))
        training_sigmas = schedule.training_sigmas(self.scheduler.config)
        beside, drawn = first.to(self.unet.dtype), []
        callback = None if callback_on_step_end is None else (callback_on_step_end, ("latents",))
        for _ in range(draws):
            self.scheduler.set_timesteps(num_inference_steps, device=device)
            self.scheduler.set_begin_index(num_inference_steps - made)
            timesteps = self.scheduler.timesteps[-made:]
            sigmas = schedule.sigma_at(timesteps.cpu().numpy(), training_sigmas)
            start = self.scheduler.add_noise(first, noise.initial(tuple(first.shape)), timesteps[:1])
            how = guidance_scale, beside, 1.0, callback, (0, 1), StepCache(self.unet, 1)
            drawn.append(self._denoise(start, sigmas, conditions, noise, *how))
        sample = torch.stack(drawn).mean(0)
        check_finite(sample, "refining", self.unet.dtype)
        images = sample if output_type == "latent" else self._sheet(sample, output_type)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _predict(
        self,
        noised: torch.Tensor,
        x: torch.Tensor,
        t: torch.Tensor,
        states: torch.Tensor,
        first_stage: torch.Tensor,
        control_scale: float,
        cache: StepCache,
        part: int,
    ) -> torch.Tensor:
        """The noise in ``x``, with the first stage's latents in the place of a control picture."""
        inputs = beside_first_stage(noised, x, first_stage)
        return super()._predict(*inputs, t, states, None, control_scale, cache, part)

    def _sheet(self, sample: torch.Tensor, output_type: str) -> np.ndarray | list[Image.Image]:
        pictures = self._decode(sample, "np")
        sheet = pictures if len(pictures) == 1 else tile_sheet(pictures)[None]
        return sheet if output_type == "np" else self.numpy_to_pil(sheet)


def beside_first_stage(
    noised_reference: torch.Tensor, noised: torch.Tensor, first_stage: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The UNet's inputs (batch, 2 C, h, w) of the write pass and of the read pass."""
    reference = torch.cat([noised_reference, torch.zeros_like(noised_reference)], dim=1)
    return reference, torch.cat([noised, first_stage.to(noised)], dim=1)


def first_stage_tiles(sheet: Picture, size: int, background: int) -> np.ndarray:
    """The six tiles of a sheet of any size, on their gray, as (6, size, size, 3) float32 in [0, 1].

    Each is resampled for itself, antialiased bicubic, so that none bleeds into its neighbours.
    """
    tiles = untile_sheet(np.asarray(on_gray(sheet, "sheet", background=background)))
    pictures = torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255
    return resized(pictures, size).permute(0, 2, 3, 1).contiguous().numpy()


@torch.no_grad()
def refiner_of(
    pipeline: Zero123PlusPipeline, prediction: str = "epsilon", *, tile_size: int | None = None
) -> SheetRefinerPipeline:
    """A refiner with the networks of a pipeline, which are used up; its UNet gets inputs for the first stage's latents.

    The new weights are zero, so that at first it denoises as it did. A refiner comes back as it is.

    Args:
        pipeline: Zero123++, or Stable Diffusion made ready for it.
        prediction: what the UNet gives, or is to learn to: "epsilon" or "v".
        tile_size: side of a view that it draws, px; None for the pipeline's.
    """
    keys = ("ramping_coefficients", "rig", "input_background")
    config = {key: pipeline.config[key] for key in keys}
    unet = pipeline.unet
    if unet.config.in_channels == unet.config.out_channels:
        old = unet.conv_in
        new = torch.nn.Conv2d(2 * old.in_channels, old.out_channels, old.kernel_size, padding=old.padding)
        new.weight.zero_()[:, : old.in_channels] = old.weight
        new.bias.copy_(old.bias)
        unet.conv_in = new.to(old.weight)
        unet.register_to_config(in_channels=new.in_channels)
    parts = pipeline.components | {"controlnet": None, "scheduler": refining_scheduler(prediction)}
    return SheetRefinerPipeline(**parts, **config, tile_size=tile_size or pipeline.tile_size)


def _check(mode: object, strength: object, steps: object) -> None:
    if mode not in MODES:
        raise BadInput(f"mode is {mode!r}; choose one of {', '.join(MODES)}")
    if not isinstance(strength, Real) or isinstance(strength, bool) or not 0 < strength <= 1:
        raise BadInput(f"strength is {strength!r}; expected a number above 0, at most 1")
    if not isinstance(steps, int) or steps < 1:
        raise BadInput(f"num_inference_steps is {steps!r}; expected an integer of 1 or more")
