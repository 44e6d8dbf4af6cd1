"""The noise schedule: sigma(t) of the training schedule, and the schedulers that sample with it.

``sigma(t) = sqrt((1 - abar_t) / abar_t)``, with ``abar`` the cumulative product of ``1 - beta`` (DDPM, eq. 4).
Zero123++ uses betas linear in t (report, section 2.3), not the "scaled linear" ones of Stable Diffusion: more steps are
noisy, which favours the global layout of the sheet over its details.
"""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)

from zero123pp.errors import BadInput


def training_sigmas(config: Mapping) -> np.ndarray:
    """sigma(t) (T,) float32 for t = 0 ... T - 1, from a scheduler's config.

    Only the config is read, never the scheduler's state: a scheduler knows its present sigma from the number of steps
    it has made, so one that was just swapped in would answer with that of the first step.

    Raises:
        BadInput: the config has no beta schedule known here.
    """
    steps = config.get("num_train_timesteps", 1000)
    start, end, name = config.get("beta_start"), config.get("beta_end"), config.get("beta_schedule")
    if config.get("trained_betas") is not None:
        betas = torch.tensor(config["trained_betas"], dtype=torch.float32)
    elif start is not None and end is not None and name == "linear":
        betas = torch.linspace(start, end, steps, dtype=torch.float32)
    elif start is not None and end is not None and name == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2
    else:
        raise BadInput(
            f"scheduler has beta_schedule {name!r} from {start} to {end}; Zero123++ needs a linear one, "
            "for example EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)"
        )
    # torch's own single precision, as the schedulers of diffusers do it: abar depends on it in the sixth digit.
    alphas_cumprod = torch.cumprod(1 - betas, dim=0)
    return (((1 - alphas_cumprod) / alphas_cumprod) ** 0.5).numpy()


def sigma_at(timesteps: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """sigma(t) (n,) float32 at real-valued ``timesteps`` (n,), linear between the training steps' ``sigmas`` (T,)."""
    return np.interp(np.asarray(timesteps, np.float64), np.arange(len(sigmas)), sigmas).astype(np.float32)


SAMPLERS: dict[str, type[SchedulerMixin]] = {
    "euler-a": EulerAncestralDiscreteScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}
"""Samplers by name. The first is the one the authors use and adds noise at every step; the other two solve the
deterministic equation with multistep methods of second order and need fewer steps."""


def trailing_sampler(name: str, scheduler: SchedulerMixin) -> SchedulerMixin:
    """The sampler ``name`` of `SAMPLERS` with "trailing" time steps, on the schedule of ``scheduler``.

    Trailing steps start at the noisiest training step and spend none on t = 0 (Lin et al. 2023, arXiv 2305.08891), so
    28 of them do what needs about 75 of the "linspace" ones with which the checkpoints are shipped.
    """
    if name not in SAMPLERS:
        raise BadInput(f"unknown sampler {name!r}; choose one of {', '.join(SAMPLERS)}")
    return SAMPLERS[name].from_config(scheduler.config, timestep_spacing="trailing")


def trailing_euler_ancestral(scheduler: SchedulerMixin) -> EulerAncestralDiscreteScheduler:
    """The recommended sampler, `trailing_sampler` "euler-a"."""
    return trailing_sampler("euler-a", scheduler)


def shipped_euler_ancestral(scheduler: SchedulerMixin) -> EulerAncestralDiscreteScheduler:
    """Euler ancestral with the "linspace" steps of the published checkpoints, which the normal generator wants."""
    return EulerAncestralDiscreteScheduler.from_config(scheduler.config, timestep_spacing="linspace")
