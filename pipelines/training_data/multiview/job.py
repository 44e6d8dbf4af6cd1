"""Rendering a folder of meshes: what there is to do, in which order, and going on after any interruption."""

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from zero123pp.configs import describe
from zero123pp.errors import BadInput, Zero123ppError
from zero123pp.files import make_folder, write_file
from zero123pp.pipelines.inputs import Shard
from zero123pp.pipelines.training_data.multiview.attempts import TRIES, Attempts
from zero123pp.pipelines.training_data.multiview.layouts import Layout
from zero123pp.recon.load import load_parts
from zero123pp.recon.meshing import normalise
from zero123pp.render import UNGROUPED, Environment, ViewSample, ViewsConfig, draw_pass
from zero123pp.types import Part

SETTINGS = "render.json"
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Pass:
    """One pass over one mesh."""

    mesh: Path
    name: str
    """Of the mesh, unique and fit for keys."""
    number: int
    group: str = UNGROUPED
    """Of the mesh."""

    @property
    def key(self) -> str:
        """What the keys of its samples begin with."""
        return f"{self.name}-{self.number}"


@dataclass
class RenderTally:
    """What a run did."""

    samples: int = 0
    found: int = 0
    """Parts that were done before."""


class Job:
    """The passes over all meshes of a folder in a fair order, cut into parts that are kept whole."""

    def __init__(
        self, meshes: Sequence[Path], lights: Sequence[Path], config: ViewsConfig, *, seed: int = 0,
        per_part: int = 16, groups: Mapping[str, str] | None = None, passes_of: Mapping[str, int] | None = None,
        supply: Callable[[Sequence[Path]], Mapping[Path, Path]] | None = None,
    ) -> None:  # fmt: skip
        """Plans; renders nothing.

        Args:
            meshes: mesh files.
            lights: equirectangular .hdr files.
            config: of the samples.
            seed: of all draws.
            per_part: passes in a part.
            groups: name of a mesh (without suffix) to its group.
            passes_of: group to passes, where it is not ``config.passes``.
            supply: called with the meshes of a part before it is begun, to have them here; says which lie elsewhere.
        """
        names, groups = key_names([mesh.name for mesh in meshes]), groups or {}
        unknown = set(passes_of or {}) - set(groups.values())
        if unknown:
            raise BadInput(
                f"the manifest has no group {', '.join(sorted(unknown))}; it has {sorted(set(groups.values()))}"
            )
        passes = []
        for mesh in meshes:
            group = groups.get(mesh.stem, UNGROUPED)
            count = (passes_of or {}).get(group, config.passes)
            passes += [Pass(mesh, names[mesh.name], number, group) for number in range(count)]
        passes.sort(key=lambda each: (zlib.crc32(each.key.encode()), each.key))  # any part is a fair sample of all
        self.parts = [passes[first : first + per_part] for first in range(0, len(passes), per_part)]
        self.lights = {light.stem: light for light in sorted(lights)}
        self.config, self.seed, self.per_part, self.supply = config, seed, per_part, supply

    def settings(self, layout: str) -> dict[str, Any]:
        """All that decides the bytes of the result; a folder holds samples of one kind only."""
        names = "\n".join(each.key for part in self.parts for each in part)
        return {
            "config": {name: list(v) if isinstance(v, tuple) else v for name, v in describe(self.config).items()},
            "seed": self.seed,
            "passes": sum(map(len, self.parts)),
            "passes_in_a_part": self.per_part,
            "passes_crc32": zlib.crc32(names.encode()),
            "environments": list(self.lights),
            "layout": layout,
        }

    def run(
        self,
        layout: Layout,
        shard: Shard,
        progress: Callable[[float], None] | None = None,
        attempts: Attempts | None = None,
    ) -> RenderTally:
        """Render the parts of ``shard`` that are not here.

        Args:
            layout: where they go.
            shard: of the parts.
            progress: called with the fraction done.
            attempts: remembers what processes died at; None for no memory.
        """
        tally = RenderTally()
        mine = [number for number in range(len(self.parts)) if shard.has(number)]
        for done, number in enumerate(mine):
            if layout.is_done(number):
                tally.found += 1
            else:
                failures: dict[str, str] = {}

                def report(fraction: float, done: int = done) -> None:
                    if progress is not None:
                        progress((done + fraction) / len(mine))

                try:
                    samples = self.samples(number, failures, report, attempts)
                    tally.samples += layout.write(number, samples, failures)
                finally:
                    if attempts is not None:
                        attempts.end(number)
            if progress is not None:
                progress((done + 1) / len(mine))
        return tally

    def samples(
        self, part: int, failures: dict[str, str], progress: Callable[[float], None] = lambda fraction: None,
        attempts: Attempts | None = None,
    ) -> Iterator[ViewSample]:  # fmt: skip
        """The samples of a part, rendered when asked for; meshes that give none are entered in ``failures``."""
        places = {} if self.supply is None else self.supply([each.mesh for each in self.parts[part]])
        for done, each in enumerate(self.parts[part]):
            if attempts is not None and attempts.begin(part, each.key) > TRIES:
                failures[each.mesh.name] = f"the process died at it {TRIES} times, by its memory or a library's fault"
                continue
            rng = np.random.default_rng([self.seed, zlib.crc32(each.key.encode()), len(each.key)])
            draw = draw_pass(self.config, list(self.lights), rng)
            panorama = read_panorama(self.lights[draw.environment])
            environment = Environment.of(panorama, turn_deg=draw.turn_deg, balanced=draw.balanced)
            try:
                yield from self._pass(each, places.get(each.mesh, each.mesh), draw, environment)
            except OSError:
                raise  # the machine's trouble, not the mesh's
            except Exception as error:  # a stranger's file may break any library; it must cost itself only
                kind = "" if isinstance(error, Zero123ppError) else f"{type(error).__name__}: "
                failures[each.mesh.name] = " ".join(f"{kind}{error}".split())[:500]
            if attempts is not None:
                attempts.done(part, each.key)
            progress((done + 1) / len(self.parts[part]))

    def _pass(self, each: Pass, file: Path, draw: Any, environment: Environment) -> list[ViewSample]:
        """All samples of a pass, or an error: never a part of them."""
        from zero123pp.pipelines.training_data.multiview.render_pass import render_pass

        if self.supply is not None and not file.is_file():
            raise BadInput("there was nothing to fetch")
        loaded = load_parts(file)
        parts = normalise(loaded)
        meta = {"mesh": each.mesh.stem, "group": each.group, "pass": each.number, "seed": self.seed}
        meta |= world_from_file(loaded, parts)
        return list(render_pass(parts, each.key, draw, environment, self.config, meta))


def world_from_file(before: Sequence[Part], after: Sequence[Part]) -> dict[str, Any]:
    """How the object was moved: world = ``scale`` * (file - ``centre``)."""
    from zero123pp.recon.meshing import geometry

    old, new = (geometry(parts).vertices.astype(np.float64) for parts in (before, after))
    axis = int(np.argmax(np.ptp(old, axis=0)))
    scale = float(np.ptp(new[:, axis]) / np.ptp(old[:, axis]))
    centre = (old.min(0) + old.max(0)) / 2 - (new.min(0) + new.max(0)) / (2 * scale)
    return {"scale": scale, "centre": [round(float(value), 9) for value in centre]}


def key_names(files: Sequence[str]) -> dict[str, str]:
    """File names to names that are unique, short, and of letters, digits, ``_`` and ``-`` only."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for file in files:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", Path(file).stem)[:_LONGEST_NAME]
        if name in taken or name != Path(file).stem:
            name = f"{name}_{zlib.crc32(file.encode()):08x}"
        taken.add(name)
        names[file] = name
    return names


@lru_cache(maxsize=64)
def read_panorama(path: Path) -> np.ndarray:
    """A panorama, at the size at which it lights; BadInput when it cannot be read."""
    from zero123pp.render import read_hdr, shrunk

    return shrunk(read_hdr(path)).astype(np.float32)


def keep_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write what the samples of a folder are made with; BadInput when it holds samples that are made otherwise."""
    path = folder / SETTINGS
    text = json.dumps(settings, indent=1, sort_keys=True)
    if path.is_file() and path.read_bytes() != text.encode():
        raise BadInput(
            f"{folder} holds samples of other meshes, lights or settings ({SETTINGS}); take the same, or another --out"
        )
    make_folder(folder)
    if not path.is_file():
        write_file(path, text)
