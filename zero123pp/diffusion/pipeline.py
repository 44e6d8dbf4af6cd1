"""The Zero123++ pipeline: a picture of an object in, a sheet of six views out; several at a time where asked."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DiffusionPipeline,
    ImagePipelineOutput,
    SchedulerMixin,
    UNet2DConditionModel,
)
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from zero123pp.diffusion import conditioning, control, fast, hub, latents, loading, reference, saving, schedule
from zero123pp.diffusion.checks import check_call, check_callback, check_finite, check_interval, listed
from zero123pp.diffusion.noise import Generators, NoiseSource
from zero123pp.diffusion.preprocess import ImagePreprocessor, on_gray
from zero123pp.diffusion.quantize import is_quantized, quantize_linear
from zero123pp.diffusion.step_cache import StepCache
from zero123pp.errors import BadInput
from zero123pp.files import expanded
from zero123pp.images import GRAY_BACKGROUND, to_uint8
from zero123pp.rigs import get_rig

Picture = Image.Image | np.ndarray

StepCallback = Callable[["Zero123PlusPipeline", int, torch.Tensor, dict[str, torch.Tensor]], dict | None]
"""``callback(pipeline, step, timestep, {"latents": ...})``; latents in what it returns replace the pipeline's."""


class Zero123PlusPipeline(DiffusionPipeline, StableDiffusionLoraLoaderMixin):
    """Six views of the object in one picture (Shi et al. 2023, arXiv 2310.15110), as a diffusers pipeline.

    The checkpoint gives the camera rig (`rig`) and the size of a view (`tile_size`). Everything else of diffusers works
    as usual: ``to``, ``enable_model_cpu_offload``, ``load_lora_weights``, swapping ``scheduler`` at any time.
    """

    pictures_in = 1
    """Latents that the UNet is given side by side."""
    model_cpu_offload_seq = "vision_encoder->text_encoder->unet->vae"
    _optional_components = ["controlnet"]  # noqa: RUF012  (how diffusers declares them)
    _exclude_from_cpu_offload = ["controlnet"]  # noqa: RUF012  (it alternates with the UNet at every step)

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: SchedulerMixin,
        vision_encoder: CLIPVisionModelWithProjection,
        feature_extractor_clip: ImagePreprocessor,
        feature_extractor_vae: ImagePreprocessor,
        controlnet: ControlNetModel | None = None,
        ramping_coefficients: list[float] | None = None,
        rig: str = loading.DEFAULT_RIG,
        tile_size: int = loading.DEFAULT_TILE_SIZE,
        input_background: int = GRAY_BACKGROUND,
    ):
        super().__init__()
        self._is_fast = False
        if ramping_coefficients is None:
            raise BadInput("ramping_coefficients is None; Zero123++ needs its trained weight for each text token")
        if controlnet is not None:
            control.check_fits(controlnet, unet)
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            vision_encoder=vision_encoder,
            feature_extractor_clip=_preprocessor(feature_extractor_clip),
            feature_extractor_vae=_preprocessor(feature_extractor_vae),
            controlnet=controlnet,
        )
        if not isinstance(input_background, int) or not 0 <= input_background <= 255:
            raise BadInput(f"input_background is {input_background!r}; expected a gray of 0 to 255")
        self.register_to_config(
            ramping_coefficients=list(ramping_coefficients),
            rig=get_rig(rig).name,
            tile_size=tile_size,
            input_background=input_background,
        )

    def accelerate(self) -> "Zero123PlusPipeline":
        """Compute by the faster means of `zero123pp.diffusion.fast` from now on; for processors. Returns itself."""
        if self.unet.device.type != "cpu":
            raise BadInput(f"the UNet is on {self.unet.device}; the faster means are for a processor (cpu)")
        self._is_fast = True
        return self

    def quantize(self) -> "Zero123PlusPipeline":
        """The UNet's linear layers in 8 bit from now on, see `zero123pp.diffusion.quantize`. Returns itself.

        Approximate, and there is no way back but loading. Raises BadInput unless the UNet is float32 on a processor.
        """
        quantize_linear(self.unet)
        return self

    @property
    def rig(self) -> str:
        """Name of the camera rig of the sheets, a key of `zero123pp.rigs.RIGS`."""
        return self.config.rig

    @property
    def tile_size(self) -> int:
        """Side of one view, px."""
        return self.config.tile_size

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        controlnet: str | Path | ControlNetModel | None = None,
        unet_file: str | Path | None = None,
        input_background: int | None = None,
        torch_dtype: torch.dtype = torch.float32,
        revision: str | None = None,
        controlnet_revision: str | None = None,
        local_files_only: bool = False,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        rig: str | None = None,
        on_download: hub.OnDownload | None = None,
    ) -> "Zero123PlusPipeline":
        """Load a checkpoint in the public folder layout. No code in it is ever run.

        Args:
            pretrained_model_name_or_path: a folder, or a hub id such as "sudo-ai/zero123plus-v1.2".
            controlnet: likewise for a ControlNet; or one that is loaded already; None for the checkpoint's own, if any.
            unet_file: weights to use in place of the checkpoint's UNet, .safetensors or .bin (tensors only).
            input_background: gray (0 to 255) behind a transparent input; None for the checkpoint's own (127, but 255
                for the UNet of InstantMesh, which was trained on white).
            torch_dtype: type of all weights.
            revision: branch, tag or commit of the checkpoint on the hub.
            controlnet_revision: the same for the ControlNet.
            local_files_only: never touch the network. Cached models need none in any case.
            cache_dir: the hub's cache; None for the ordinary one.
            token: access token of the hub.
            rig: "v1.1" or "v1.2", for a checkpoint that does not say; None to go by its index and name.
            on_download: told the repository and its licence before anything is fetched, see `hub.OnDownload`.

        Raises:
            BadInput: not there, not a Zero123++ checkpoint, damaged, unsafe, or a ControlNet of another model.
            MissingBackend: not in the cache, and the hub cannot or must not be asked.
        """
        if not isinstance(torch_dtype, torch.dtype):
            raise BadInput(f"torch_dtype is {torch_dtype!r}; give a torch type such as torch.float16")
        where = {
            "local_files_only": local_files_only,
            "cache_dir": cache_dir,
            "token": token,
            "on_download": on_download,
        }
        source = str(pretrained_model_name_or_path)
        folder = hub.find_checkpoint(source, hub.PIPELINE, revision=revision, **where)
        rig = get_rig(rig).name if rig is not None else loading.rig_of(folder, source)
        if controlnet is None and (folder / "controlnet" / "config.json").is_file():
            controlnet = folder / "controlnet"
        if controlnet is not None and not isinstance(controlnet, ControlNetModel):
            control.check_rig(str(controlnet), rig)
            found = hub.find_checkpoint(controlnet, hub.CONTROLNET, revision=controlnet_revision, **where)
            controlnet = loading.load_controlnet(found, torch_dtype)
        unet_file = None if unet_file is None else expanded(unet_file)
        parts = loading.load_parts(folder, torch_dtype, unet_file, pictures_in=cls.pictures_in)
        if input_background is not None:
            parts["input_background"] = input_background
        pipeline = cls(**parts, controlnet=controlnet, rig=rig)
        pipeline.register_to_config(_name_or_path=source)
        return pipeline

    @classmethod
    def from_single_file(cls, *_args: object, **_kwargs: object) -> "Zero123PlusPipeline":
        """Refused: a single file of Stable Diffusion lacks the picture's encoder and the trained ramp."""
        raise BadInput(
            "Zero123++ cannot be loaded from a single file: it needs a vision encoder and ramping_coefficients beside "
            "the UNet; give a folder or hub id to from_pretrained, and such a file as unet_file="
        )

    def with_controlnet(self, controlnet: ControlNetModel | None) -> "Zero123PlusPipeline":
        """The same pipeline under another ControlNet, or under none; all other networks are shared, not copied.

        Raises BadInput when the ControlNet belongs to another UNet.
        """
        parts = self.components | {"controlnet": controlnet}
        keys = ("ramping_coefficients", "rig", "tile_size", "input_background")
        other = type(self)(**parts, **{key: self.config[key] for key in keys})
        other.register_to_config(_name_or_path=self.config.get("_name_or_path"))
        other._is_fast = self._is_fast
        other.set_progress_bar_config(**getattr(self, "_progress_bar_config", {}))
        return other

    def save_pretrained(self, save_directory: str | Path, safe_serialization: bool = True, **others: object) -> None:
        """Write the pipeline as a folder in the public layout: safetensors, and the published names of all weights.

        ``push_to_hub("owner/name")`` of diffusers pushes such a folder. What else diffusers' own function takes is
        refused with a BadInput: files are never pickles, never split, and have no variant in their names.
        """
        unknown = [name for name, value in others.items() if value not in (None, False)]
        if not safe_serialization or unknown:
            what = unknown[0] if unknown else "safe_serialization=False"
            raise BadInput(f"save_pretrained writes one safetensors file a network and knows no {what}; leave it out")
        if is_quantized(self.unet):
            raise BadInput("a quantized UNet cannot be saved; load the checkpoint again and save that")
        saving.save_parts(self, Path(save_directory))

    @torch.no_grad()
    def __call__(
        self,
        image: Picture | list[Picture],
        prompt: str | list[str] = "",
        *,
        depth_image: Picture | list[Picture] | None = None,
        controlnet_conditioning_scale: float = 1.0,
        width: int | None = None,
        height: int | None = None,
        num_inference_steps: int = 28,
        guidance_scale: float = 4.0,
        num_images_per_prompt: int = 1,
        generator: Generators = None,
        output_type: str = "pil",
        legacy_rng: bool = False,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        negative_prompt: str | list[str] = "",
        prompt_embeds: torch.Tensor | None = None,
        negative_prompt_embeds: torch.Tensor | None = None,
        latents: torch.Tensor | None = None,
        return_dict: bool = True,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        cache_interval: int = 1,
    ) -> ImagePipelineOutput | tuple:
        """Sample sheets of six views.

        Args:
            image: RGB or RGBA, PIL or (H, W, 3|4) uint8, the object on a square; 320 px or more give the best results.
                A list samples all of its pictures together: at once on a GPU, in turn on a processor.
            prompt: a text, on the positive half only; one for all pictures, or a list of one each. The models were
                trained with none.
            depth_image: control sheet of the output's size, for a pipeline with a ControlNet (and only then); one for
                all pictures, or a list of one each.
            controlnet_conditioning_scale: weight of the control; 0.75 for depth, 1 for normals.
            width: of the sheet, px; None for two tiles of the checkpoint (640).
            height: of the sheet, px; None for three tiles of the checkpoint (960).
            num_inference_steps: 28 with "trailing" steps, about 75 as shipped ("linspace").
            guidance_scale: v = v_neg + g (v_pos - v_neg); at 1 or below the negative half is left out.
            num_images_per_prompt: sheets to sample of each picture.
            generator: all randomness comes from it; a list gives each sheet its own, and then a sheet does not depend
                on its company (to the last bit on a processor). None for torch's global one.
            output_type: "pil", "np" for (N, H, W, 3) float32 in [0, 1], or "latent" for diffusion space.
            legacy_rng: draw the VAE's and the reference's noise from the global generator, as the original code did.
            callback_on_step_end: called after each step, see `StepCallback`.
            callback_on_step_end_tensor_inputs: what it gets beside the step: "latents", "prompt_embeds", the states
                (halves x sheets, 77, C) that the UNet attends to, negative half first; it may return either changed.
            negative_prompt: a text for the negative half, likewise; the models were trained with none.
            prompt_embeds: the text's last hidden states (1 or pictures, 77, C) instead of ``prompt``, before the
                picture's embedding is added.
            negative_prompt_embeds: likewise instead of ``negative_prompt``.
            latents: noise (sheets, 4, h, w) of the first step, of standard deviation 1, instead of the generator's.
            return_dict: False for the tuple ``(images,)``.
            guidance_interval: shares of the steps from and up to which there is guidance (Kynkaanniemi et al. 2024,
                arXiv 2404.07724); the others cost half. Approximate.
            cache_interval: steps from one whole pass of the UNet to the next, see `zero123pp.diffusion.step_cache`;
                1 for whole passes only. Approximate.

        Returns:
            An object whose ``images`` are the sheets: 3 rows x 2 columns, on gray; in the order of the pictures.

        Raises:
            BadInput: an argument that cannot be used.
            StageFailed: the sampling left the range of the number type.
        """
        width = 2 * self.tile_size if width is None else width
        height = 3 * self.tile_size if height is None else height
        check_call(
            self._vae_factor,
            output_type,
            {
                "width": width,
                "height": height,
                "num_inference_steps": num_inference_steps,
                "num_images_per_prompt": num_images_per_prompt,
                "cache_interval": cache_interval,
            },
            {"guidance_scale": guidance_scale, "controlnet_conditioning_scale": controlnet_conditioning_scale},
        )
        check_interval(guidance_interval)
        control.check_control(self.controlnet, depth_image)
        pictures = listed("image", image)
        texts = conditioning.Texts(
            listed("prompt", prompt, len(pictures)), listed("negative_prompt", negative_prompt, len(pictures)),
            prompt_embeds, negative_prompt_embeds,
        )  # fmt: skip
        wanted = tuple(callback_on_step_end_tensor_inputs)
        check_callback(wanted)
        images = len(pictures) * num_images_per_prompt
        device, dtype = self._execution_device, self.unet.dtype
        # The original draws in the model's own type; single precision makes a seed mean the same in every type.
        drawn = dtype if legacy_rng else torch.float32
        noise = NoiseSource(generator, images, device=device, dtype=drawn, legacy=legacy_rng)
        guided = guidance_scale > 1
        rgb = [on_gray(picture, background=self.config.input_background) for picture in pictures]
        conditions = self._encode(rgb, texts, noise, images, guided)
        pixels = None
        if depth_image is not None:
            sheets = listed("depth_image", depth_image, len(pictures))
            pixels = torch.cat([control.control_pixels(sheet, width, height) for sheet in sheets])
            pixels = conditioning.both_halves(None, pixels.to(device, dtype), images)

        self.scheduler.set_timesteps(num_inference_steps, device=device)
        # From sigma(t), not from the scheduler, which knows only the sigma after the steps it has made.
        training_sigmas = schedule.training_sigmas(self.scheduler.config)
        sigmas = schedule.sigma_at(self.scheduler.timesteps.cpu().numpy(), training_sigmas)
        factor = self._vae_factor
        shape = (images, self.unet.config.in_channels, height // factor, width // factor)
        if latents is not None and tuple(latents.shape) != shape:
            raise BadInput(f"latents have shape {tuple(latents.shape)}; expected {shape} for these sheets")
        first = noise.initial(shape) if latents is None else latents.to(device, drawn)
        sample = first * self.scheduler.init_noise_sigma
        sample = self._denoise(
            sample,
            sigmas,
            conditions,
            noise,
            guidance_scale,
            pixels,
            controlnet_conditioning_scale,
            None if callback_on_step_end is None else (callback_on_step_end, wanted),
            guidance_interval,
            StepCache(self.unet, cache_interval),
        )
        check_finite(sample, "sampling", dtype)
        sheets = sample if output_type == "latent" else self._decode(sample, output_type)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=sheets) if return_dict else (sheets,)

    def _encode(
        self, pictures: list[Image.Image], texts: conditioning.Texts, noise: NoiseSource, images: int, guided: bool
    ) -> conditioning.Conditions:
        """The conditions of RGB pictures and of one text, or one each; encoded one by one, so that bits stay."""
        device, dtype = self._execution_device, self.unet.dtype
        vae_pixels = torch.cat([self.feature_extractor_vae(picture) for picture in pictures])
        vae_pixels = vae_pixels.to(device, self.vae.dtype)
        cond = conditioning.reference_latents(self.vae, vae_pixels, noise, images=images, guided=guided)
        clip_pixels = [self.feature_extractor_clip(picture) for picture in pictures]
        clip_pixels = [pixels.to(device, self.vision_encoder.dtype) for pixels in clip_pixels]
        image_embeds = torch.cat([self.vision_encoder(pixels).image_embeds for pixels in clip_pixels])
        ramp = torch.tensor(self.config.ramping_coefficients)
        text, negative = texts.states(self.tokenizer, self.text_encoder, device, len(pictures), guided)
        states = conditioning.both_halves(negative, conditioning.add_image(text, image_embeds, ramp), images)
        return conditioning.Conditions(latents=cond, hidden_states=states.to(device, dtype))

    def _denoise(
        self,
        sample: torch.Tensor,
        sigmas: np.ndarray,
        conditions: conditioning.Conditions,
        noise: NoiseSource,
        guidance_scale: float,
        control_pixels: torch.Tensor | None,
        control_scale: float,
        callback: tuple[StepCallback, tuple[str, ...]] | None,
        interval: tuple[float, float],
        cache: StepCache,
    ) -> torch.Tensor:
        """From initial noise (n, 4, h, w) to latents in diffusion space: the loop over the scheduler's steps."""
        if self._is_fast:
            fast.accelerate(self.unet)
        else:
            fast.restore(self.unet)  # a pipeline that shares the UNet may have accelerated it
            reference.install_reference_attention(self.unet)
        guided, dtype, states = guidance_scale > 1, self.unet.dtype, conditions.hidden_states
        both = self._batches(noise, len(sample), guided)
        positive = [[row for row in rows if row >= len(sample)] for rows in both]
        timesteps = self.scheduler.timesteps[-len(sigmas) :]  # fewer than all where something is drawn over
        takes_generator = "generator" in inspect.signature(self.scheduler.step).parameters
        step_kwargs = {"generator": noise.generator} if takes_generator else {}
        with self.progress_bar(total=len(timesteps)) as progress:
            for i, (t, sigma) in enumerate(zip(timesteps, sigmas)):
                eps = noise.reference(tuple(conditions.latents.shape))
                noised = reference.noised_reference(conditions.latents, eps, float(sigma)).to(dtype)
                x = torch.cat([sample, sample]) if guided else sample
                x = self.scheduler.scale_model_input(x, t).to(dtype)
                is_guided = guided and interval[0] <= i / len(timesteps) < interval[1]
                batches = both if is_guided or not guided else positive
                cache.begin(2 if is_guided else 1)
                parts = []
                for number, rows in enumerate(batches):
                    pixels = None if control_pixels is None else control_pixels[[row % len(sample) for row in rows]]
                    asked = noised[rows], x[rows], t, states[rows], pixels, control_scale
                    parts.append(self._predict(*asked, cache, number))
                v = torch.empty_like(x, dtype=sample.dtype)
                for rows, part in zip(batches, parts):
                    v[rows] = part.to(sample.dtype)
                if not is_guided:
                    v = v[-len(sample) :]
                else:
                    v_negative, v_positive = v.chunk(2)
                    v = v_negative + guidance_scale * (v_positive - v_negative)
                sample = self.scheduler.step(v, t, sample, **step_kwargs).prev_sample
                if callback is not None:
                    call, names = callback
                    now = {"latents": sample, "prompt_embeds": states}
                    now |= call(self, i, t, {name: now[name] for name in names}) or {}
                    sample, states = now["latents"], now["prompt_embeds"]
                progress.update()
        return sample

    def _predict(
        self,
        noised: torch.Tensor,
        x: torch.Tensor,
        t: torch.Tensor,
        states: torch.Tensor,
        control_pixels: torch.Tensor | None,
        control_scale: float,
        cache: StepCache,
        part: int,
    ) -> torch.Tensor:
        """The UNet's v (batch, 4, h, w) of scaled latents ``x``: the write pass, the control, and the read pass."""
        passes = fast if self._is_fast else reference
        with cache.passing("write", part):
            kept = passes.write_reference(self.unet, noised, t, states)
        added = {}
        if control_pixels is not None:
            net, scale = self.controlnet, control_scale
            added = cache.control(part, lambda: control.control_residuals(net, x, t, states, control_pixels, scale))
        with cache.passing("read", part):
            return passes.read_reference(self.unet, x, t, states, kept, **added)

    @staticmethod
    def _batches(noise: NoiseSource, images: int, guided: bool) -> list[list[int]]:
        """Rows of [negative x n, positive x n] that go through the UNet together.

        Usually all of them. Pictures with generators of their own go one by one on a processor: a larger batch is not
        faster there, adds up in another order, and so would give a picture other bits than it gets alone.
        """
        halves = 2 if guided else 1
        if noise.is_separate and noise.device.type == "cpu":
            return [[half * images + image for half in range(halves)] for image in range(images)]
        return [list(range(halves * images))]

    def _decode(self, sample: torch.Tensor, output_type: str) -> np.ndarray | list[Image.Image]:
        """Latents in diffusion space to pictures, one at a time: decoding is what takes the most memory."""
        if self._is_fast:
            fast.release(self.unet)
        decoded = torch.cat([latents.decode(self.vae, picture) for picture in sample.split(1)])
        check_finite(decoded, "decoding", self.vae.dtype)
        pictures = decoded.permute(0, 2, 3, 1).cpu().numpy()
        return pictures if output_type == "np" else [Image.fromarray(picture) for picture in to_uint8(pictures)]

    @property
    def _vae_factor(self) -> int:
        """Pixels per latent along one side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)


def _preprocessor(given: object) -> ImagePreprocessor:
    """What diffusers' own loader brings in its place is transformers' of the same settings, whose pixels differ."""
    return given if isinstance(given, ImagePreprocessor) else ImagePreprocessor.from_config(given.to_dict())
