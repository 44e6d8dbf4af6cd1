"""What a worker does with its items: pictures in, result files out."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from zero123pp.errors import BadInput, ConfigError, MissingBackend
from zero123pp.pipelines.batch.addresses import open_store
from zero123pp.pipelines.batch.items import DRAWING
from zero123pp.pipelines.batch.job import BatchSettings, Outcome, Task
from zero123pp.pipelines.batch.places import hashed
from zero123pp.pipelines.progress import Stages
from zero123pp.types import Cutout

if TYPE_CHECKING:
    from zero123pp.pipelines.asset import Asset
    from zero123pp.pipelines.image_to_mesh import ImageTo3D

_THUMBNAIL_FROM_DEG = (30.0, 15.0)
"""Azimuth and elevation of the thumbnail's camera."""


class Maker:
    """Makes items, keeping the models that it has loaded."""

    def __init__(self, settings: BatchSettings) -> None:
        self._settings = settings
        self._store = open_store(settings.out)
        self._pipes: dict[str, ImageTo3D] = {}
        self._drawn: dict[str, dict[str, Any]] = {}

    def prepare(self, tasks: Sequence[Task]) -> None:
        """Draw the views of several items in one call, where their model can; making each then goes on from them.

        What goes wrong here is nobody's fault yet: who is left without views is made from the picture, alone, when
        called.
        """
        self._drawn.clear()
        with suppress(Exception):
            pipe = self._pipe(tasks[0].model)
            if not pipe.model.draws_together:
                return
            cut = [(task, *found) for task in tasks if (found := _cutout(pipe, task)) is not None]
            asked = {name: tasks[0].call[name] for name in DRAWING if name in tasks[0].call}
            start = time.perf_counter()
            seeds = [task.call["seed"] for task, _, _ in cut]
            drawn = pipe.views_together([cutout for _, cutout, _ in cut], seeds=seeds, **asked)
            share = round((time.perf_counter() - start) / max(1, len(cut)), 3)
            for (task, cutout, seconds), seed, views in zip(cut, seeds, drawn):
                seconds |= {"views": share}
                self._drawn[task.key] = {"views": views, "cutout": cutout, "seed": seed, "seconds": seconds}

    def __call__(self, task: Task) -> Outcome:
        """Make one item and write its files; any error becomes the outcome."""
        drawn = self._drawn.pop(task.key, None)
        start = time.monotonic() - (0.0 if drawn is None else sum(drawn["seconds"].values()))
        try:
            asset = self._asset(task) if drawn is None else self._pipe(task.model).from_views(**drawn)
        except (BadInput, ConfigError, MissingBackend) as error:
            return Outcome("refused", one_line(error), time.monotonic() - start)
        except Exception as error:
            return Outcome("failed", f"{type(error).__name__}: {one_line(error)}", time.monotonic() - start)
        try:
            self._write(task, asset, time.monotonic() - start)
        except (BadInput, OSError) as error:  # the folder or the disk, not the item
            return Outcome("storage", one_line(error), time.monotonic() - start)
        return Outcome("done", "", time.monotonic() - start)

    def _pipe(self, model: str) -> "ImageTo3D":
        from zero123pp.pipelines.image_to_mesh import ImageTo3D

        if model not in self._pipes:
            chosen = self._settings
            self._pipes[model] = ImageTo3D.from_pretrained(
                model, device=chosen.device, preset=chosen.preset, overrides=chosen.overrides, **chosen.options
            )
        return self._pipes[model]

    def _asset(self, task: Task) -> "Asset":
        pictures = {
            field: decode(data, task.name)
            for field, data in (("image", task.image), ("views", task.views))
            if data is not None
        }
        return self._pipe(task.model)(**pictures, **task.call)

    def _write(self, task: Task, asset: "Asset", seconds: float) -> None:
        from zero123pp.recon.export import encode_glb

        files = {".glb": encode_glb(asset.textured, task.key, asset.extras)[f"{task.key}.glb"]}
        place = task.place or hashed(task.key)
        if self._settings.thumbnail_px:
            files[".png"] = thumbnail(asset, self._settings.thumbnail_px)
        said = {
            "key": task.key,
            "source": task.name,
            "glb": f"{place}.glb",
            "bytes": len(files[".glb"]),
            "sha256": hashlib.sha256(files[".glb"]).hexdigest(),
            "seconds": round(seconds, 3),
            "report": asset.report,
        }
        self._store.write(place, files, said)


def thumbnail(asset: "Asset", side_px: int) -> bytes:
    """PNG of the asset, seen a little from the side and from above."""
    from zero123pp.cameras import orbit_camera
    from zero123pp.images import own_png, to_uint8
    from zero123pp.recon.render import render
    from zero123pp.rigs import RIGS

    rig = RIGS["v1.2"]
    camera = orbit_camera(*_THUMBNAIL_FROM_DEG, rig.distance, rig.fov_deg, side_px)
    view = render(asset.textured, camera)
    return own_png(to_uint8(np.dstack([view.rgb, view.alpha])), optimize=True)


def _cutout(pipe: "ImageTo3D", task: Task) -> tuple[Cutout, dict[str, float]] | None:
    """The cutout of an item and the seconds that it took; None when its picture cannot be used."""
    stages = Stages()
    try:
        with stages.stage("cutout"):
            cutout = pipe.cutout(decode(task.image, task.name))
    except Exception:  # told when the item is made
        return None
    return cutout, stages.seconds


def decode(data: bytes, name: str) -> np.ndarray:
    """The picture in ``data``, by `zero123pp.pipelines.inputs.read_image`; BadInput names it ``name``."""
    from zero123pp.pipelines.inputs import MAX_BYTES, read_image

    if len(data) > MAX_BYTES:
        raise BadInput(f"{name} has more than {MAX_BYTES // 2**20} MB; scale the picture down first")
    with as_file(data) as path:
        try:
            return read_image(path)
        except BadInput as error:
            raise BadInput(str(error).replace(path, name)) from error


@contextmanager
def as_file(data: bytes) -> Iterator[str]:
    """A path at which the bytes can be read. The file has no name in any folder, so that a kill leaves nothing."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        os.set_inheritable(file.fileno(), False)
        yield f"/dev/fd/{file.fileno()}"


def one_line(error: BaseException) -> str:
    """What an error says, in one line of bounded length."""
    return " ".join(str(error).split())[:1000] or type(error).__name__
