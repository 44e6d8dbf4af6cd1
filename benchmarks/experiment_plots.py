"""Plots of the experiments, one picture each."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from schedule_experiments import KINDS, SCHEDULES, TIMES

_LOOK = {
    "scaled_linear": ("scaled linear (Stable Diffusion)", "tab:orange"),
    "linear": ("linear (Zero123++)", "tab:blue"),
}


def noise_levels(result: dict, file: Path) -> None:
    """Signal-to-noise ratio by step."""
    figure, axis = plt.subplots(figsize=(6, 3.5))
    for name in SCHEDULES:
        label, colour = _LOOK[name]
        values = result["log10_snr"][name]
        axis.plot(np.arange(len(values)) * 10, values, label=label, color=colour)
    axis.set(xlabel="step t", ylabel="log10 of the signal-to-noise ratio")
    axis.legend()
    save(figure, file)


def blank_picture(result: dict, file: Path) -> None:
    """Brightness while a white picture is fitted, and what is drawn at the end."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), width_ratios=(2, 1, 1))
    for axis, name in zip(axes[1:], SCHEDULES):
        label, colour = _LOOK[name]
        axes[0].plot(result[name]["step"], result[name]["error"], label=label, color=colour)
        _show(axis, result[name]["pictures"], label)
    axes[0].set(xlabel="steps of fitting white", ylabel="rms distance from white", ylim=(0, None))
    axes[0].legend()
    save(figure, file)


def swapped_schedule(result: dict, file: Path) -> None:
    """Denoising error by step for each prediction, native and swapped, and drawn pictures."""
    figure, axes = plt.subplots(3, len(KINDS), figsize=(10, 7.5))
    for column, kind in enumerate(KINDS):
        for row, name in enumerate(SCHEDULES, 1):
            label, colour = _LOOK[name]
            found = result[kind][name]
            axes[0, column].plot(TIMES, found["denoising_error"], label=label, color=colour)
            _show(axes[row, column], found["pictures"], f"{kind}, sampled {label.split(' (')[0]}")
        ratio = result[kind]["error_ratio"]
        axes[0, column].set(xlabel="step t", yscale="log")
        axes[0, column].set_title(f"{kind}: error x {ratio:.2f} after the swap", fontsize=9)
    axes[0, 0].set_ylabel("error / that of the best linear guess", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    save(figure, file)


def arms(result: dict, file: Path) -> None:
    """Validation error during training, and the error by side of the object at the end, for two ways to train."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    sides = list(next(iter(result["arms"].values()))["psnr_by_side"])
    for place, (name, found) in enumerate(result["arms"].items()):
        left.plot(found["samples"], found["val_mse"], label=name, marker=".")
        values = [found["psnr_by_side"][side] for side in sides]
        right.bar(np.arange(len(sides)) + 0.4 * place, values, 0.38, label=name)
    left.set(xlabel="samples", ylabel="error of v on held-out meshes")
    lowest = min(min(found["psnr_by_side"].values()) for found in result["arms"].values())
    labels = [side.replace(" (", "\n(") for side in sides]
    right.set(xticks=np.arange(len(sides)) + 0.2, xticklabels=labels, ylabel="PSNR of one-step views, dB")
    right.set_ylim(lowest - 1, None)
    left.legend()
    save(figure, file)


def _show(axis: plt.Axes, pictures: torch.Tensor, title: str) -> None:
    """Four pictures (4, 3, S, S) in a square."""
    rows = [torch.cat(list(pair), 2) for pair in (pictures[:2], pictures[2:4])]
    axis.imshow(torch.cat(rows, 1).permute(1, 2, 0).numpy(), vmin=0, vmax=1)
    axis.set_title(title, fontsize=8)
    axis.axis("off")


def save(figure: plt.Figure, file: Path) -> None:
    """Write a picture and forget the figure."""
    figure.tight_layout()
    figure.savefig(file, dpi=90, metadata={"Software": None})
    plt.close(figure)
