"""The VAE whose encoder is computed."""

from dataclasses import replace

import numpy as np
import pytest
from smooth_pictures import SHAPE, fitted_vae, smooth_pictures

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("accelerate")
from zero123pp.diffusion.latents import scale_image, scale_latents  # noqa: E402
from zero123pp.errors import BadInput  # noqa: E402
from zero123pp.train.multiview import codec  # noqa: E402
from zero123pp.train.multiview.conditions import FrozenParts  # noqa: E402
from zero123pp.train.multiview.small import small_pipeline  # noqa: E402


@pytest.fixture(scope="module")
def vae():
    return fitted_vae()


def test_the_encoder_is_the_linear_code_of_patches(vae):
    """Affine to rounding, decorrelated, of the intended size, and as good as principal components in numpy."""
    pictures = smooth_pictures(40, seed=1)
    one, two = pictures[:20], pictures[20:]

    def encode(values):
        return scale_latents(vae.encode(scale_image(values * 2 - 1)).latent_dist.mean * vae.config.scaling_factor)

    middle = encode(0.25 * one + 0.75 * two)
    assert torch.allclose(middle, 0.25 * encode(one) + 0.75 * encode(two), atol=2e-3)
    codes = encode(smooth_pictures(64)).permute(0, 2, 3, 1).flatten(0, 2)
    assert float(codes.square().mean().sqrt()) == pytest.approx(codec.SPREAD, rel=0.02)
    correlation = np.corrcoef(codes.T.numpy()) - np.eye(codes.shape[1])
    assert np.abs(correlation).max() < 0.02
    # Half a step of another route: the best rank-16 approximation of 8x8 patches is what a decoder could reach.
    patches = torch.nn.functional.unfold(pictures, 8, stride=8).permute(0, 2, 1).flatten(0, 1).double()
    design = torch.cat([encode(pictures).permute(0, 2, 3, 1).flatten(0, 2).double(), torch.ones(len(patches), 1)], 1)
    left = patches - design @ torch.linalg.lstsq(design, patches).solution
    centred = patches - patches.mean(0)
    best = torch.linalg.svdvals(centred)[16:].square().sum()
    assert left.square().sum() < 1.3 * best
    assert left.square().sum() < 0.02 * centred.square().sum()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_encoder_survives_low_precision(vae, dtype):
    pixels = scale_image(smooth_pictures(4, seed=2) * 2 - 1)
    exact = vae.encode(pixels).latent_dist.mean
    low = small_pipeline(SHAPE, 0).vae
    low.load_state_dict(vae.state_dict())
    torch.nn.Module.to(low, dtype)
    with torch.no_grad():
        error = (low.encode(pixels.to(dtype)).latent_dist.mean.float() - exact).square().mean().sqrt()
    assert float(error / exact.std()) < {torch.float16: 0.01, torch.bfloat16: 0.03}[dtype]


def test_blocks_that_do_nothing_are_skipped_without_a_difference(vae):
    pixels = scale_image(smooth_pictures(3, seed=3) * 2 - 1)
    before = vae.encode(pixels).latent_dist.mean
    pipe = small_pipeline(SHAPE, 0)
    pipe.vae.load_state_dict(vae.state_dict())
    frozen = FrozenParts(pipe, torch.device("cpu"))
    seen = []
    for part in frozen.vae.encoder.modules():
        if type(part).__name__ == "ResnetBlock2D":
            part.conv1.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        assert torch.equal(frozen.vae.encode(pixels).latent_dist.mean, before)
    assert not seen


def test_other_vaes_are_refused():

    with pytest.raises(BadInput, match="no linear code fits"):
        codec.set_encoder(small_pipeline(replace(SHAPE, vae_channels=(8, 16, 32, 32)), 0).vae, smooth_pictures(4))
