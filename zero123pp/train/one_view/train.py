"""Training of the one-picture network: resumable, on as many samples as the time allows."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from zero123pp.files import whole_file
from zero123pp.train.held_out import is_held_out
from zero123pp.train.one_view.losses import losses, total
from zero123pp.train.one_view.network import OneViewNet
from zero123pp.train.one_view.samples import CLASSES, Collected, Pool, Sample, make_sample
from zero123pp.train.one_view.solids import SolidStore
from zero123pp.train.one_view.view import draw_pose, render_view


@dataclass(frozen=True)
class OneViewConfig:
    """A recipe."""

    samples: int = 300_000
    """Samples to see, of all phases."""
    sizes: tuple[tuple[float, int], ...] = ((0.55, 96), (1.0, 128))
    """Share of the samples up to which each size of pictures, px, is trained at."""
    batch: int = 16
    rates: tuple[float, float] = (3e-4, 1e-3)
    """Peak learning rates of the encoder and of the rest."""
    hold: float = 0.35
    """Share of the samples before the rates fall, by half a cosine."""
    warmup: int = 150
    weight_decay: float = 0.02
    ema: float = 0.999
    clip: float = 4.0
    generated: float = 0.5
    """Share of the samples whose object comes from the generator."""
    pool: int = 3000
    """Views that a worker keeps."""
    reuse: int = 6
    """Samples drawn for each view that is rendered."""
    workers: int = 1
    save_every: int = 200
    """Steps between checkpoints."""
    check_every: int = 500
    """Steps between looks at the held-out views."""
    seed: int = 0


class Batches(torch.utils.data.IterableDataset):
    """Endless batches of one size; every worker draws its own."""

    def __init__(
        self, config: OneViewConfig, collected: Collected | None, lights: Sequence[np.ndarray], side: int, start: int
    ) -> None:
        self._config, self._collected, self._lights, self._side, self._start = config, collected, lights, side, start

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self._config.seed, self._start, info.id if info else 0])
        torch.set_num_threads(1)
        c = self._config
        pool = Pool(self._collected, c.generated, self._side, c.pool, c.reuse, rng)
        while True:
            yield as_batch([make_sample(pool.draw(), self._lights, rng) for _ in range(c.batch)])


def as_batch(samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
    """The fields of samples, stacked."""
    return {name: torch.from_numpy(np.stack([getattr(s, name) for s in samples])) for name in Sample._fields}


def collected_of(store: SolidStore, groups: dict[str, str], *, held_out: bool) -> Collected:
    """The stored objects that are trained on, or the ones kept for validation; ``groups`` by name of object."""
    classes: dict[str, list[str]] = {}
    for name in store.names():
        if is_held_out(name) == held_out:
            classes.setdefault(CLASSES.get(groups.get(name, ""), "kit"), []).append(name)
    return Collected(store, classes)


def held_out_samples(held: Collected, lights: Sequence[np.ndarray], side: int, count: int) -> list[Sample]:
    """The same views always, of as many objects as there are."""
    rng = np.random.default_rng(11)
    names = sorted(name for members in held.classes.values() for name in members)
    samples = []
    while len(samples) < count:
        solid = held.store.load(names[len(samples) % len(names)])
        pose = draw_pose(rng)
        view = render_view(solid, replace(pose, usual=True, turn=np.eye(3)), side, rng)
        if view is not None:
            samples.append(make_sample(view, lights, rng))
    return samples


class OneViewTraining:
    """The network in training: float32 masters, a bfloat16 copy that runs, their running mean."""

    def __init__(self, config: OneViewConfig, folder: Path, *, pretrained: bool = True) -> None:
        self.config, self.path = config, folder / "checkpoint.pt"
        torch.manual_seed(config.seed)
        self.master = OneViewNet()
        if pretrained:
            self.master.encoder.load_imagenet()
        self.running = _low(self.master)
        self.mean = {name: p.detach().clone() for name, p in self.master.named_parameters()}
        encoder = [p for n, p in self.master.named_parameters() if _is_pretrained(n)]
        others = [p for n, p in self.master.named_parameters() if not _is_pretrained(n)]
        groups = [{"params": encoder}, {"params": others}]
        self.optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=config.weight_decay)
        self.step, self.seen = 0, 0
        if self.path.is_file():
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            self.step, self.seen = content["step"], content["seen"]
            self.master.load_state_dict(content["master"])
            self.mean = content["mean"]
            self.optimiser.load_state_dict(content["optimiser"])
            _copy(self.running.parameters(), self.master.parameters())

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        content = {
            "step": self.step, "seen": self.seen, "master": self.master.state_dict(), "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        with whole_file(self.path) as temporary:
            torch.save(content, temporary)

    def side(self) -> int:
        """Size of the pictures now, px."""
        done = self.seen / self.config.samples
        return next((side for share, side in self.config.sizes if done < share), self.config.sizes[-1][1])

    def learn(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """One step; the losses."""
        done = min(1.0, self.seen / self.config.samples)
        hold = self.config.hold
        fall = 1.0 if done < hold else 0.5 * (1 + math.cos(math.pi * (done - hold) / (1 - hold))) + 0.003
        scale = min(1.0, (self.step + 1) / self.config.warmup) * fall
        for group, rate in zip(self.optimiser.param_groups, self.config.rates):
            group["lr"] = rate * scale
        given = batch["given"].bfloat16().to(memory_format=torch.channels_last)
        parts = losses(self.running(given), batch)
        total(parts).backward()
        for high, low in zip(self.master.parameters(), self.running.parameters()):
            high.grad = None if low.grad is None else low.grad.float()
            low.grad = None
        norm = nn.utils.clip_grad_norm_(self.master.parameters(), self.config.clip)
        if norm.isfinite():
            self.optimiser.step()
            _copy(self.running.parameters(), self.master.parameters())
            decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(list(self.mean.values()), list(self.master.parameters()), 1 - decay)
        self.step += 1
        self.seen += len(given)
        return {name: value.item() for name, value in parts.items()} | {"norm": float(norm)}

    def averaged(self, batches: Sequence[dict[str, torch.Tensor]]) -> OneViewNet:
        """The running mean of the weights; its normalisations are measured anew on batches, as weights moved on."""
        net = OneViewNet()
        net.load_state_dict(self.master.state_dict())
        with torch.no_grad():
            _copy(net.parameters(), self.mean.values())
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
        net.train()
        with torch.no_grad():
            for batch in batches:
                net(batch["given"])
        return net.eval()


def _is_pretrained(name: str) -> bool:
    return name.startswith("encoder.") and not name.startswith("encoder.outline")


def _low(net: OneViewNet) -> OneViewNet:
    copy = OneViewNet()
    copy.load_state_dict(net.state_dict())
    copy = copy.bfloat16()
    for module in copy.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    return copy.to(memory_format=torch.channels_last).train()


@torch.no_grad()
def _copy(to: Iterator[torch.Tensor], source: Iterator[torch.Tensor]) -> None:
    for a, b in zip(to, source):
        a.copy_(b)


@torch.no_grad()
def check(net: OneViewNet, samples: Sequence[Sample]) -> dict[str, float]:
    """Means over held-out samples: the losses, and the angles of normals and way up in degrees."""
    found: dict[str, list[float]] = {}
    ups, normals = [], []
    for first in range(0, len(samples), 16):
        batch = as_batch(samples[first : first + 16])
        reading = net(batch["given"])
        for name, value in losses(reading, batch).items():
            found.setdefault(name, []).append(float(value))
        ups += torch.rad2deg(torch.acos((reading.up * batch["up"]).sum(1).clamp(-1, 1))).tolist()
        met = torch.isfinite(batch["layers"][:, 0])
        cosine = (reading.front_normal * batch["normals"][:, :3]).sum(1).clamp(-1, 1)[met]
        normals.append(float(torch.rad2deg(torch.acos(cosine)).mean()))
    result = {name: float(np.mean(values)) for name, values in found.items()}
    return result | {
        "normal_deg": float(np.mean(normals)), "up_deg": float(np.mean(ups)), "up_median_deg": float(np.median(ups)),
    }  # fmt: skip


def train(
    config: OneViewConfig, folder: str | Path, store: SolidStore, groups: dict[str, str],
    lights: Sequence[np.ndarray], *, pretrained: bool = True,
) -> None:  # fmt: skip
    """Train, or go on; ``folder`` gets ``checkpoint.pt`` and ``log.jsonl``."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    training = OneViewTraining(config, folder, pretrained=pretrained)
    kept, held = (collected_of(store, groups, held_out=h) for h in (False, True))
    with (folder / "log.jsonl").open("a") as log:

        def note(**values: object) -> None:
            log.write(json.dumps({"seen": training.seen, "time": round(time.time(), 1)} | values) + "\n")
            log.flush()

        note(config=asdict(config))
        while training.seen < config.samples:
            side = training.side()
            validation = held_out_samples(held, lights, side, 192)
            loader = torch.utils.data.DataLoader(
                Batches(config, kept, lights, side, training.step), batch_size=None, num_workers=config.workers,
                prefetch_factor=4,
            )  # fmt: skip
            recent: list[dict[str, torch.Tensor]] = []
            sums: dict[str, list[float]] = {}
            start, cpu = time.time(), time.process_time()
            for batch in loader:
                recent = [*recent[-11:], batch]
                for name, value in training.learn(batch).items():
                    sums.setdefault(name, []).append(value)
                if training.step % 50 == 0:
                    rate = 50 * config.batch / (time.time() - start)
                    used = (time.process_time() - cpu) / (50 * config.batch)
                    start, cpu = time.time(), time.process_time()
                    means = {name: round(float(np.mean(values)), 4) for name, values in sums.items()}
                    note(train=means, a_second=round(rate, 1), cpu_s_each=round(used, 4))
                    sums = {}
                over = training.seen >= config.samples or training.side() != side
                if training.step % config.check_every == 0 or over:
                    found = check(training.averaged(recent), validation)
                    note(held_out={name: round(value, 4) for name, value in found.items()}, side=side)
                    start, cpu = time.time(), time.process_time()
                if training.step % config.save_every == 0 or over:
                    training.save()
                if over:
                    break
            del loader
