"""A diffusion model of small pictures, small enough for one processor core, for experiments on schedules.

The formulas are those of training and sampling proper (`zero123pp.train.multiview.objective`,
`zero123pp.diffusion.schedule`); only network and data are toys: pixels instead of latents, no condition.
"""

from collections.abc import Callable, Iterable

import torch

from zero123pp.diffusion.reference import noised_reference
from zero123pp.diffusion.schedule import training_sigmas
from zero123pp.train.multiview.objective import Prediction, clean_of, squared_errors, target

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
"""Those of Stable Diffusion; the schedules differ in what is linear between them."""


def sigmas_of(schedule: str) -> torch.Tensor:
    """sigma(t) (1000,) of "linear" or "scaled_linear"."""
    return torch.from_numpy(training_sigmas(BETAS | {"beta_schedule": schedule}))


def small_unet(channels: tuple[int, ...], seed: int) -> torch.nn.Module:
    """An unconditional UNet over RGB pictures, with attention at its lowest level."""
    from diffusers import UNet2DModel

    plain = len(channels) - 1
    torch.manual_seed(seed)
    return UNet2DModel(
        in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=channels, norm_num_groups=8,
        attention_head_dim=16, down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * plain,
    )  # fmt: skip


def fit(
    network: torch.nn.Module, parameters: Iterable[torch.nn.Parameter], batch: Callable[[int], torch.Tensor],
    sigmas: torch.Tensor, *, steps: int, kind: Prediction, learning_rate: float, seed: int,
    every: int = 0, watch: Callable[[int], None] = lambda _step: None,
) -> None:  # fmt: skip
    """Train ``parameters`` with the plain squared error of what is predicted.

    Args:
        network: changed in place.
        parameters: of it, the ones to train.
        batch: (step) to pictures (n, 3, S, S) in [-1, 1].
        sigmas: of the schedule.
        steps: how many.
        kind: what is predicted.
        learning_rate: of AdamW, after 20 steps of warm-up, falling to 0 along a cosine.
        seed: of time steps and noise.
        every: steps between calls of ``watch``.
        watch: called with the number of steps done.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(list(parameters), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps, pct_start=min(0.3, 20 / steps), cycle_momentum=False
    )
    for step in range(steps):
        clean = batch(step)
        t = torch.randint(len(sigmas), (len(clean),), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        predicted, sigma = predict(network, clean, noise, t, sigmas[t])
        squared_errors(predicted, target(kind, clean, noise, sigma)).mean().backward()
        torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
        optimiser.step()
        optimiser.zero_grad()
        rates.step()
        if every and (step + 1) % every == 0:
            watch(step + 1)


def predict(
    network: torch.nn.Module, clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor, sigma: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's prediction at noise levels ``sigma`` (n,), told the steps ``t`` (n,); and ``sigma``."""
    noised = noised_reference(clean, noise, sigma[:, None, None, None])
    return network(noised, t, return_dict=False)[0], sigma


@torch.no_grad()
def sample(
    network: torch.nn.Module, sigmas: torch.Tensor, shape: tuple[int, ...], *, steps: int, kind: Prediction, seed: int
) -> torch.Tensor:
    """Pictures (n, 3, S, S) by the deterministic Euler method over "trailing" steps, from pure noise."""
    times = torch.arange(len(sigmas), 0, -len(sigmas) / steps).round().long() - 1
    levels = torch.cat([sigmas[times], torch.zeros(1)])
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * levels[0]
    for t, sigma, following in zip(times, levels, levels[1:]):
        scaled, level = x / (sigma**2 + 1) ** 0.5, sigma.expand(len(x))
        clean = clean_of(kind, network(scaled, t, return_dict=False)[0], scaled, level)
        x = clean + (x - clean) * (following / sigma)
    return x
