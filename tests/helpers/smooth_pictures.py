"""Smooth random pictures, and the smallest model with a code fitted to them."""

import torch

from zero123pp.train.multiview import codec
from zero123pp.train.multiview.small import SmallModel, small_pipeline

SHAPE = SmallModel(tile_px=32, channels=(32, 64), context=64, vision_layers=1)


def smooth_pictures(count, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def fitted_vae():
    made = small_pipeline(SHAPE, 0).vae
    codec.set_encoder(made, smooth_pictures(64))
    return made.requires_grad_(False)
