"""The network under training as one module: UNet, ramp, image encoder and, when there is one, ControlNet.

One forward pass is what one sampling step of `zero123pp.diffusion.pipeline` does, with its own time step for each
sample and with gradients through both passes: the ramp's through the text states, the reference's through the tokens
that the write pass keeps.
"""

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPVisionModelWithProjection

from zero123pp.diffusion import (
    add_image,
    beside_first_stage,
    control_residuals,
    install_reference_attention,
    read_reference,
    write_reference,
)


class ViewDenoiser(torch.nn.Module):
    """Predicts v of a noised sheet from the noised reference and the global condition."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        vision_encoder: CLIPVisionModelWithProjection,
        ramp: torch.Tensor,
        controlnet: ControlNetModel | None = None,
        *,
        fused_attention: bool = True,
        use_reference: bool = True,
    ):
        """The parts are taken, not copied.

        Args:
            unet: gets reference attention.
            vision_encoder: gives the global condition.
            ramp: (L,) weights of the image at each text token.
            controlnet: adds to the UNet's read pass.
            fused_attention: torch's fused kernels, whose backward pass is slow on processors in bfloat16; False
                multiplies the matrices one by one, which needs more memory.
            use_reference: False leaves the local condition out, to see what it does.
        """
        super().__init__()
        self.unet, self.vision_encoder, self.controlnet = unet, vision_encoder, controlnet
        self.ramp = torch.nn.Parameter(ramp.detach().clone().float())
        self.use_reference = use_reference
        install_reference_attention(unet, None if fused_attention else AttnProcessor())
        if controlnet is not None and not fused_attention:
            controlnet.set_attn_processor(AttnProcessor())

    def states(self, text: torch.Tensor, clip_pixels: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """Text states (batch, L, C) with the pictures added where ``keep`` (batch,) is True.

        Args:
            text: (1, L, C) states of the empty prompt.
            clip_pixels: (batch, 3, h, w) of the pictures.
            keep: whether a sample keeps its conditions.
        """
        trained = any(parameter.requires_grad for parameter in self.vision_encoder.parameters())
        with torch.set_grad_enabled(trained and torch.is_grad_enabled()):
            embeds = self.vision_encoder(clip_pixels.to(self.vision_encoder.dtype)).image_embeds
        # Selected, not multiplied by 0: the gradient of a dropped picture is then 0 too, whatever the encoder gave.
        embeds = torch.where(keep[:, None], embeds, torch.zeros_like(embeds))
        return add_image(text.expand(len(embeds), -1, -1).float(), embeds.float(), self.ramp).to(self.unet.dtype)

    def forward(
        self,
        noised: torch.Tensor,
        noised_reference: torch.Tensor,
        timestep: torch.Tensor,
        text: torch.Tensor,
        clip_pixels: torch.Tensor,
        keep: torch.Tensor,
        control: torch.Tensor | None = None,
        first_stage: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The prediction (batch, C, H, W).

        Args:
            noised: (batch, C, H, W) latents of the sheets at their noise levels.
            noised_reference: (batch, C, h, w) latents of the references at the same levels.
            timestep: (batch,) integer steps.
            text: see `states`.
            clip_pixels: see `states`.
            keep: see `states`.
            control: (batch, 3, 8 H, 8 W) control sheets in [-1, 1], with a ControlNet.
            first_stage: (batch, C, H, W) latents of what a refiner draws over.
        """
        if first_stage is not None:
            noised_reference, noised = beside_first_stage(noised_reference, noised, first_stage)
        dtype = self.unet.dtype
        states, noised = self.states(text, clip_pixels, keep), noised.to(dtype)
        tokens = write_reference(self.unet, noised_reference.to(dtype), timestep, states) if self.use_reference else {}
        added = {}
        if self.controlnet is not None:
            added = control_residuals(self.controlnet, noised, timestep, states, control.to(dtype), 1.0)
        if not self.use_reference:
            return self.unet(noised, timestep, encoder_hidden_states=states, return_dict=False, **added)[0]
        return read_reference(self.unet, noised, timestep, states, tokens, **added)

    def checkpoint_gradients(self) -> None:
        """Recompute activations in the backward pass instead of keeping them."""
        self.unet.enable_gradient_checkpointing()
        if self.controlnet is not None:
            self.controlnet.enable_gradient_checkpointing()
