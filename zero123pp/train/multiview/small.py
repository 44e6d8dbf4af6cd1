"""Small models of the published component classes, with random weights: to train from scratch, and to test with."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from zero123pp.diffusion import ImagePreprocessor, Zero123PlusPipeline
from zero123pp.train.multiview.start import CLIP_PIXELS, VAE_PIXELS, initial_ramp, new_scheduler


@dataclass(frozen=True)
class SmallModel:
    """Sizes of a small Zero123++."""

    tile_px: int = 64
    """Side of one view; also of the reference and of what the image encoder sees."""
    channels: tuple[int, ...] = (96, 192)
    """Of the UNet's levels."""
    head_channels: int = 32
    """Of each attention head."""
    context: int = 128
    """Channels of text states and image embedding."""
    tokens: int = 8
    """Text tokens, so also weights of the ramp: the empty prompt needs no 77."""
    vision_layers: int = 4
    latents: int = 16
    """Channels of the latents."""
    vae_channels: tuple[int, ...] = (16, 32, 64, 64)
    vae_groups: int = 4


MINI = SmallModel()
"""9.5 million parameters in the UNet, 24x16 latents: what two processor cores can train at all."""


def small_pipeline(shape: SmallModel, seed: int) -> Zero123PlusPipeline:
    """A pipeline of random weights; its VAE is random too, see `zero123pp.train.multiview.codec` for one that works."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Zero123PlusPipeline(
            vae=_vae(shape),
            text_encoder=CLIPTextModel(_text_config(shape)).eval(),
            tokenizer=byte_tokenizer(shape.tokens),
            unet=_unet(shape),
            scheduler=new_scheduler(),
            vision_encoder=CLIPVisionModelWithProjection(_vision_config(shape)).eval(),
            feature_extractor_clip=_extractor(CLIP_PIXELS, shape.tile_px),
            feature_extractor_vae=_extractor(VAE_PIXELS, shape.tile_px),
            ramping_coefficients=initial_ramp(shape.tokens),
            tile_size=shape.tile_px,
        )


def _extractor(full: ImagePreprocessor, size: int) -> ImagePreprocessor:
    return ImagePreprocessor(size, (size, size), full.resample, full.mean, full.std)


def _unet(shape: SmallModel) -> UNet2DConditionModel:
    levels = len(shape.channels)
    return UNet2DConditionModel(
        sample_size=3 * shape.tile_px // 8,
        in_channels=shape.latents,
        out_channels=shape.latents,
        block_out_channels=shape.channels,
        down_block_types=("CrossAttnDownBlock2D",) * levels,
        up_block_types=("CrossAttnUpBlock2D",) * levels,
        layers_per_block=1,
        attention_head_dim=tuple(width // shape.head_channels for width in shape.channels),
        cross_attention_dim=shape.context,
        use_linear_projection=True,
    ).eval()


def _vae(shape: SmallModel) -> AutoencoderKL:
    levels = len(shape.vae_channels)
    return AutoencoderKL(
        latent_channels=shape.latents,
        block_out_channels=shape.vae_channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        norm_num_groups=shape.vae_groups,
        sample_size=shape.tile_px,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        force_upcast=False,
    ).eval()


def _vision_config(shape: SmallModel) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=shape.context,
        intermediate_size=4 * shape.context,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=shape.context // 32,
        image_size=shape.tile_px,
        patch_size=shape.tile_px // 8,
        projection_dim=shape.context,
        hidden_act="gelu",
    )


def _text_config(shape: SmallModel) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=514,
        hidden_size=shape.context,
        intermediate_size=2 * shape.context,
        num_hidden_layers=1,
        num_attention_heads=shape.context // 32,
        max_position_embeddings=shape.tokens,
        projection_dim=shape.context,
        hidden_act="gelu",
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=0,
    )


def byte_tokenizer(tokens: int) -> CLIPTokenizer:
    """CLIP's tokenizer without merges: a token for each byte, and one for each byte that ends a word."""
    import json

    # Bytes that print stand for themselves, the others for letters beyond Latin-1 (the code of GPT-2's tokenizer).
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printing]
    letters = [chr(byte) for byte in printing] + [chr(256 + number) for number in range(len(rest))]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, merges = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
        merges.write_text("#version: 0.2\n", "utf-8")
        config = {"model_max_length": tokens, "pad_token": "!", "tokenizer_class": "CLIPTokenizer"}
        Path(folder, "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
