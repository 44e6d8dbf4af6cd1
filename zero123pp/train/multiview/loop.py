"""The training loop: on one device, or on many by accelerate's launcher; stopped and resumed at any step.

Nothing random is left in the loop: data, time steps and noise are functions of the seed and a sample's number
(`zero123pp.train.multiview.dataset`), the rate one of the step. So weights, running means and AdamW's state are all
that a checkpoint needs for a resumed run to go on bit for bit.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from zero123pp.diffusion import Zero123PlusPipeline
from zero123pp.errors import MissingBackend
from zero123pp.files import make_folder
from zero123pp.train import append_log, rewind_log
from zero123pp.train.multiview.config import ViewsTrainConfig
from zero123pp.train.multiview.dataset import Item, Pool, ViewItems, numbers_of
from zero123pp.train.multiview.objective import squared_errors, weighted_loss
from zero123pp.train.multiview.sheets import draw_sheets
from zero123pp.train.multiview.state import CHECKPOINT, RunState

VALIDATION_STREAM = 1


def train(
    pipeline: Zero123PlusPipeline,
    data: str | Path,
    folder: str | Path,
    config: ViewsTrainConfig,
    *,
    device: str = "cpu",
    carry_over: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Train, or go on from the checkpoint in ``folder``.

    Args:
        pipeline: the start in single precision; its networks are used up.
        data: folder of samples.
        folder: receives ``checkpoint.pt``, ``log.jsonl`` and ``samples/``.
        config: the recipe. ``steps`` may be raised between runs where the rate is constant; the rest should stay.
        device: cpu or cuda; each process takes its own GPU.
        carry_over: checkpoint of an earlier phase to take weights and AdamW's moments from.
        progress: called with the fraction done.

    Returns:
        Path of the checkpoint.
    """
    accelerator = _accelerator(device, Path(folder), config)
    folder = make_folder(folder)
    state = RunState(pipeline, folder / CHECKPOINT, config, accelerator.device, carry_over=carry_over)
    needs = {"depth": config.phase == "depth", "normals": config.phase == "normals"}
    group = config.batch * config.accumulate * accelerator.num_processes
    items = ViewItems(Pool(data, held_out=False, balance=config.balance, **needs), state.geometry, config, group=group)
    unseen = Pool(data, held_out=True, **needs)
    watch = Watch(state, ViewItems(unseen, state.geometry, config, group=config.batch, stream=VALIDATION_STREAM)
                  if len(unseen) else None, folder, accelerator)  # fmt: skip
    watch.begin()
    if state.weights.step >= config.steps:
        return state.weights.path
    numbers = numbers_of(
        state.weights.step, config.steps, accumulate=config.accumulate, processes=accelerator.num_processes,
        rank=accelerator.process_index, batch=config.batch,
    )  # fmt: skip
    loader = DataLoader(
        items, config.batch, sampler=numbers, num_workers=config.workers, pin_memory=device != "cpu",
        prefetch_factor=4 if config.workers else None,
    )  # fmt: skip
    model = accelerator.prepare(state.denoiser)
    for part, item in enumerate(loader, 1):
        complete = part % config.accumulate == 0
        with nullcontext() if complete else accelerator.no_sync(model):
            losses = batch_losses(model, state, item)
            accelerator.backward(losses["loss"] / config.accumulate)
        watch.add({name: value.detach() for name, value in losses.items()})
        if complete:
            rate = config.rate(state.weights.step)
            norm = state.weights.update(rate)
            watch.after_step(rate, norm)
            if progress:
                progress(state.weights.step / config.steps)
    accelerator.end_training()
    return state.weights.path


def batch_losses(model: torch.nn.Module, state: RunState, item: Item) -> dict[str, torch.Tensor]:
    """The loss of a collated batch of items, and the plain squared error beside it."""
    config = state.config
    noised = state.frozen(item, config.prediction)
    errors = squared_errors(model(**noised.inputs), noised.wanted)
    loss = weighted_loss(errors, noised.sigma, config.min_snr_gamma, config.prediction, config.min_snr_floor)
    return {"loss": loss, "mse": errors.mean()}


class Watch:
    """Logs, validates, draws sheets and saves, each when its step has come."""

    def __init__(self, state: RunState, unseen: ViewItems | None, folder: Path, accelerator: Any) -> None:
        """``unseen`` are items of held-out meshes, None where there are none."""
        self.state, self.unseen, self.folder, self.accelerator = state, unseen, folder, accelerator
        self._sums: dict[str, torch.Tensor] = {}
        self._count, self._norms = 0, 0.0

    def begin(self) -> None:
        """Take back what a killed run logged after its last checkpoint."""
        if self.accelerator.is_main_process:
            rewind_log(self.folder / "log.jsonl", self.state.weights.step)
        self.accelerator.wait_for_everyone()

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        """Losses of one part of a step."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value.double()
        self._count += 1

    def after_step(self, rate: float, norm: float) -> None:
        """Do what is due after the step that was just made."""
        config, step = self.state.config, self.state.weights.step
        self._norms += norm
        saves = _is_due(step, config.save_every, config.steps)
        validates = self.unseen is not None and _is_due(step, config.validate_every, config.steps)
        if _is_due(step, config.log_every, config.steps) or saves or validates:
            self._log(step, rate, validates)
        if self.accelerator.is_main_process:
            if self.unseen is not None and _is_due(step, config.sample_every, config.steps):
                draw_sheets(self.state, self.unseen, self.folder / "samples" / f"step-{step:06d}.png")
            if saves:
                self.state.weights.save(asdict(config))
        self.accelerator.wait_for_everyone()

    def _log(self, step: int, rate: float, validates: bool) -> None:
        config = self.state.config
        means = {name: value / self._count for name, value in self._sums.items()}
        means = {name: float(self.accelerator.reduce(value, "mean")) for name, value in means.items()}
        steps = self._count / config.accumulate
        record = {"step": step, **means, "grad_norm": self._norms / steps, "rate": rate}
        self._sums, self._count, self._norms = {}, 0, 0.0
        if not self.accelerator.is_main_process:
            return
        if validates:
            record |= validate(self.state, self.unseen)
        record = {name: float(f"{value:.6g}") if name != "step" else value for name, value in record.items()}
        append_log(self.folder / "log.jsonl", record)
        if config.tensorboard:
            self.accelerator.log({name: value for name, value in record.items() if name != "step"}, step=step)


def _is_due(step: int, every: int, steps: int) -> bool:
    """Whether something is done after this step that is done every so many (0: never) and after the last."""
    return every > 0 and (step % every == 0 or step == steps)


@torch.no_grad()
def validate(state: RunState, items: ViewItems) -> dict[str, float]:
    """Losses of the running means on held-out meshes, always with the same draws."""
    config, sums = state.config, {}
    numbers = range(config.validation_batches * config.batch)
    with state.weights.averaged():
        for item in DataLoader(items, config.batch, sampler=numbers):
            for name, value in batch_losses(state.denoiser, state, item).items():
                sums[f"val_{name}"] = sums.get(f"val_{name}", 0.0) + float(value) / config.validation_batches
    return sums


def _accelerator(device: str, folder: Path, config: ViewsTrainConfig) -> Any:
    """Accelerate's object: this process's device and rank; its own mixed precision and accumulation stay unused.

    Weights in bfloat16 with masters in float32 (`zero123pp.train.weights`) are faster than autocast, on processors by
    half, and take less memory.
    """
    process_state(device)
    from accelerate import Accelerator

    logger = {}
    if config.tensorboard:
        from importlib.util import find_spec

        if find_spec("tensorboard") is None and find_spec("tensorboardX") is None:
            raise MissingBackend("tensorboard=true needs the package tensorboard; pip install tensorboard")
        logger = {"log_with": "tensorboard", "project_dir": str(folder)}
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no", **logger)
    if config.tensorboard:
        accelerator.init_trackers("tensorboard")
    return accelerator


def process_state(device: str) -> Any:
    """Accelerate's record of this process: rank, and the device that it was given by the launcher.

    Raises:
        MissingBackend: accelerate is not installed.
    """
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise MissingBackend("training needs accelerate; pip install 'zero123pp[train]'") from error
    return PartialState(cpu=device == "cpu")
