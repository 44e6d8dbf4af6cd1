"""Figures 3 to 5 of the report at small scale: the noise schedule, and which prediction survives its change."""

from dataclasses import dataclass

import numpy as np
import torch
import toy_diffusion as toy

from zero123pp.train.multiview.objective import Prediction, clean_of

SCHEDULES = ("scaled_linear", "linear")
KINDS: tuple[Prediction, ...] = ("v", "x0", "epsilon")


@dataclass(frozen=True)
class ScheduleConfig:
    """Values of both experiments."""

    size_px: int = 24
    """Side of the pictures."""
    channels: tuple[int, ...] = (32, 64)
    """Of the network."""
    batch: int = 32
    """Pictures a step."""
    steps: int = 500
    """Steps of training on rendered views, under the scaled-linear schedule."""
    learning_rate: float = 2e-3
    """Of it."""
    tune_steps: int = 120
    """Steps of fitting the blank picture."""
    tune_rate: float = 3e-4
    """Of it."""
    tune_attention_only: bool = True
    """Fit with the attention layers alone, as little freedom as an adapter has."""
    watch_every: int = 20
    """Steps between two looks at what is drawn."""
    sampling_steps: int = 25
    """Of every drawn picture."""
    drawn: int = 32
    """Pictures drawn at each look."""
    seed: int = 0
    """Of everything."""


def pretrained(config: ScheduleConfig, pictures: torch.Tensor, kind: Prediction) -> torch.nn.Module:
    """A model of the pictures (n, 3, S, S) in [-1, 1] under Stable Diffusion's own schedule."""
    network = toy.small_unet(config.channels, config.seed)
    choice = torch.Generator().manual_seed(config.seed)

    def batch(_step: int) -> torch.Tensor:
        return pictures[torch.randint(len(pictures), (config.batch,), generator=choice)]

    toy.fit(
        network, network.parameters(), batch, toy.sigmas_of("scaled_linear"), steps=config.steps, kind=kind,
        learning_rate=config.learning_rate, seed=config.seed,
    )  # fmt: skip
    return network


def noise_levels(_config: ScheduleConfig, _pictures: torch.Tensor) -> dict:
    """Figure 3: signal-to-noise ratio by step, exact."""
    snr = {name: (1 / toy.sigmas_of(name) ** 2).numpy() for name in SCHEDULES}
    return {
        "log10_snr": {name: np.log10(values[::10]).round(4).tolist() for name, values in snr.items()},
        "last_snr": {name: float(values[-1]) for name, values in snr.items()},
        "share_of_steps_with_snr_below": {
            name: {str(limit): float((values < limit).mean()) for limit in (0.01, 0.1, 1.0)}
            for name, values in snr.items()
        },
    }


def blank_picture(config: ScheduleConfig, pictures: torch.Tensor) -> dict:
    """Figure 4: one model, tuned to a blank white picture under either schedule, then asked for it from pure noise."""
    result = {"mean_of_pretraining_pictures": float(pictures.mean() / 2 + 0.5)}
    start = pretrained(config, pictures, "v").state_dict()
    white = torch.ones(config.batch, 3, config.size_px, config.size_px)
    for name in SCHEDULES:
        network = toy.small_unet(config.channels, config.seed)
        network.load_state_dict(start)
        tuned = [
            parameter
            for key, parameter in network.named_parameters()
            if "attentions" in key or not config.tune_attention_only
        ]
        curve = {"step": [], "brightness": [], "error": []}

        def look(step: int, network=network, name=name, curve=curve) -> None:
            shape = (config.drawn, 3, config.size_px, config.size_px)
            drawn = toy.sample(
                network, toy.sigmas_of(name), shape, steps=config.sampling_steps, kind="v", seed=config.seed + 1
            )
            values = (drawn / 2 + 0.5).clamp(0, 1)
            curve["step"].append(step)
            curve["brightness"].append(round(float(values.mean()), 5))
            curve["error"].append(round(float((values - 1).square().mean().sqrt()), 5))
            curve["pictures"] = values[:4]

        look(0)
        toy.fit(
            network, tuned, lambda _step: white, toy.sigmas_of(name), steps=config.tune_steps, kind="v",
            learning_rate=config.tune_rate, seed=config.seed + 2, every=config.watch_every, watch=look,
        )  # fmt: skip
        result[name] = curve
    return result


def swapped_schedule(config: ScheduleConfig, pictures: torch.Tensor) -> dict:
    """Figure 5: models of v, x0 and epsilon, trained under one schedule and used under the other without tuning."""
    result = {}
    shape = (config.drawn, 3, config.size_px, config.size_px)
    for kind in KINDS:
        network = pretrained(config, pictures, kind)
        rows = {}
        for name in SCHEDULES:
            drawn = toy.sample(
                network, toy.sigmas_of(name), shape, steps=config.sampling_steps, kind=kind, seed=config.seed + 1
            )
            rows[name] = {
                "denoising_error": _denoising_errors(network, pictures, toy.sigmas_of(name), kind, config),
                "distance_to_pictures": round(_distance(drawn, pictures), 5),
                "contrast": round(float(drawn.clamp(-1, 1).std() / pictures.std()), 4),
                "pictures": (drawn[:4] / 2 + 0.5).clamp(0, 1),
            }
        native, swapped = (np.array(rows[name]["denoising_error"]) for name in SCHEDULES)
        rows["error_ratio"] = float((swapped / native).mean().round(4))
        result[kind] = rows
    return result


TIMES = tuple(range(49, 1000, 50))
"""Steps at which denoising is measured."""


@torch.no_grad()
def _denoising_errors(
    network: torch.nn.Module, pictures: torch.Tensor, sigmas: torch.Tensor, kind: Prediction, config: ScheduleConfig
) -> list[float]:
    """Mean squared error of the clean picture at `TIMES`, relative to that of the best linear guess.

    That guess knows the pictures' mean and variance and the noise level, so the number is comparable between schedules,
    whose levels at a step differ.
    """
    generator = torch.Generator().manual_seed(config.seed + 3)
    clean = pictures[:: max(1, len(pictures) // 64)][:64]
    noise = torch.randn(clean.shape, generator=generator)
    variance, errors = float(pictures.var()), []
    for time in TIMES:
        t = torch.full((len(clean),), time)
        predicted, sigma = toy.predict(network, clean, noise, t, sigmas[t])
        noised = toy.noised_reference(clean, noise, sigma[:, None, None, None])
        found = clean_of(kind, predicted, noised, sigma).clamp(-1, 1)
        linear = variance * float(sigma[0] ** 2) / (variance + float(sigma[0] ** 2))
        errors.append(round(float((found - clean).square().mean()) / linear, 5))
    return errors


def _distance(drawn: torch.Tensor, pictures: torch.Tensor) -> float:
    """Sliced Wasserstein distance between two sets of pictures, over 256 random directions in pixels."""
    generator = torch.Generator().manual_seed(0)
    one, other = drawn.clamp(-1, 1).flatten(1), pictures.flatten(1)
    directions = torch.randn(one.shape[1], 256, generator=generator)
    directions /= directions.norm(dim=0)
    levels = torch.linspace(0.01, 0.99, 99)
    quantiles = [torch.quantile(x @ directions, levels, dim=0) for x in (one, other)]
    return float((quantiles[0] - quantiles[1]).abs().mean())
