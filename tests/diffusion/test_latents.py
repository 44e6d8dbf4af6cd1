"""Laws of the value ranges."""

import pytest
import torch

from zero123pp.diffusion import latents


@pytest.mark.quick
def test_scaling_is_undone():
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    torch.testing.assert_close(latents.unscale_latents(latents.scale_latents(x)), x)
    torch.testing.assert_close(latents.unscale_image(latents.scale_image(x)), x)


def test_image_space_is_what_the_vaes_preprocessor_makes(pipe):
    p = torch.linspace(0, 1, 256, dtype=torch.float64)
    mean, std = pipe.feature_extractor_vae.mean, pipe.feature_extractor_vae.std
    torch.testing.assert_close(latents.scale_image(2 * p - 1), (p - mean) / std)
