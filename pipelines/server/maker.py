"""The worker's side: a job's bytes come in, progress and files go out. Runs in the process of `WorkerProcess`."""

import io
import json
import os
import signal
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero123pp.errors import BadInput, Cancelled, Zero123ppError
from zero123pp.pipelines.batch import as_file, decode, one_line, thumbnail
from zero123pp.pipelines.server.settings import ServerSettings
from zero123pp.pipelines.server.work import CANCEL, Made, Told, Work

if TYPE_CHECKING:
    from PIL import Image

    from zero123pp.pipelines.asset import Asset
    from zero123pp.pipelines.cutout import Outline
    from zero123pp.pipelines.image_to_mesh import ImageTo3D
    from zero123pp.pipelines.models import MultiViewModel
    from zero123pp.types import Camera, Cutout, Mesh, MultiView

SHOWN_PX = 1280
"""Longer side of the picture on which an outline is corrected."""
_THUMBNAIL_PX = 256
_TELL_SECONDS = 0.05
"""Between two reports of the same stage."""


class Maker:
    """Makes jobs, keeping the models that it has loaded."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._models: dict[str, MultiViewModel] = {}
        self._is_cancelled = False
        self.tell: Callable[[Told], None] = lambda told: None
        """Set by the process, see `zero123pp.pipelines.batch`."""
        self._told: tuple[str, float] = ("", 0.0)
        signal.signal(CANCEL, self._cancel)

    def __call__(self, work: Work) -> Made:
        """Make one job; any error becomes the outcome."""
        self._is_cancelled, self._told = False, ("", 0.0)
        start = time.monotonic()
        makers = {"cutout": self._cutout, "object": self._object, "export": self._export}
        try:
            files, facts = makers[work.kind](work)
        except Cancelled:
            return Made("cancelled", "cancelled", time.monotonic() - start)
        except Zero123ppError as error:
            return Made("refused", one_line(error), time.monotonic() - start)
        except Exception as error:
            return Made("failed", f"{type(error).__name__}: {one_line(error)}", time.monotonic() - start)
        return Made("done", "", time.monotonic() - start, files=files, facts=facts)

    def _cancel(self, *_: object) -> None:
        self._is_cancelled = True

    def _progress(self, stage: str, fraction: float) -> None:
        if self._is_cancelled:
            raise Cancelled("cancelled")
        before, when = self._told
        if stage != before or time.monotonic() - when > _TELL_SECONDS:
            self._told = stage, time.monotonic()
            self.tell(Told(stage, fraction))

    def _pipe(self, work: Work, stack: ExitStack) -> "ImageTo3D":
        from zero123pp.configs import load
        from zero123pp.pipelines.image_to_mesh import ImageTo3D, PipelineConfig
        from zero123pp.pipelines.models import load_model

        if work.model not in self._models:
            self._models[work.model] = load_model(work.model, device=self._settings.device)
        source, asked = self._models[work.model], work.overrides
        if "back" in work.pictures:
            asked += (f"preview.back={json.dumps(stack.enter_context(as_file(work.pictures['back'])))}",)
        plain = load(PipelineConfig, self._settings.preset, asked)
        config = load(PipelineConfig, self._settings.preset, (*source.overrides, *asked))
        return ImageTo3D(source, config, plain)

    def _outline(self, work: Work, pipe: "ImageTo3D") -> "Outline":
        """Where the object is: as the visitor drew it, or as it is found."""
        from zero123pp.pipelines.cutout import find_outline, outline_of_mask

        if work.prompt is None:
            image = decode(work.pictures["image"], "the picture")
        else:
            from zero123pp.pipelines.models import draw_picture

            image = draw_picture(
                work.prompt, self._settings.text_model, seed=work.seed, device=self._settings.device,
                progress=lambda fraction: self._progress("picture", fraction),
            )  # fmt: skip
        self._progress("cutout", 0.0)
        if "mask" not in work.pictures:
            return find_outline(image, pipe.config.cutout)
        mask = decode(work.pictures["mask"], "the mask")
        return outline_of_mask(image, mask[..., 3] if mask.shape[2] == 4 else mask.max(-1), pipe.config.cutout)

    def _cutout(self, work: Work) -> tuple[dict[str, bytes], dict[str, Any]]:
        """The picture, the outline to correct, and what would be cut out."""
        from PIL import Image

        from zero123pp.images import encode_png, resize_planes, to_uint8
        from zero123pp.pipelines.cutout import cut_along

        with ExitStack() as stack:
            outline = self._outline(work, self._pipe(work, stack))
        cutout = cut_along(outline)
        scale = min(1.0, SHOWN_PX / max(outline.alpha.shape))
        size = tuple(max(1, round(side * scale)) for side in outline.alpha.shape[::-1])
        picture = Image.fromarray(np.ascontiguousarray(outline.image[..., :3])).resize(size, Image.Resampling.LANCZOS)
        alpha = resize_planes(outline.alpha, size, Image.Resampling.BILINEAR)
        files = {
            "picture.jpg": _jpeg(picture),
            "alpha.png": encode_png(to_uint8(alpha)),
            "cutout.png": encode_png(cutout.rgba),
        }
        return files, {"warnings": list(cutout.notes), "cutout": cutout.method}

    def _object(self, work: Work) -> tuple[dict[str, bytes], dict[str, Any]]:
        from zero123pp.pipelines.progress import Stages

        stages = Stages(self._progress)
        with ExitStack() as stack:
            pipe = self._pipe(work, stack)
            cutout = None
            if "sheet" in work.pictures:
                with stages.stage("views"):
                    views = self._given_views(work)
            else:
                with stages.stage("cutout"):
                    cutout = self._cut(work, pipe)
                with stages.stage("views") as report:
                    views = pipe.views(cutout, seed=work.seed, progress=lambda _, fraction: report(fraction))
            if views.sheet is not None:
                self.tell(Told("views", 1.0, _sheet_of(views)))
            if views.surface is not None:
                self._show("mesh", views.surface)
            asset = pipe.from_views(
                views, cutout, seed=work.seed, seconds=stages.seconds, progress=self._progress,
                on_mesh=(lambda mesh: None) if views.surface is not None else lambda mesh: self._show("texture", mesh),
            )  # fmt: skip
        with stages.stage("pack"):
            files = _files_of(asset, work.file_options)
        report = asset.report
        facts = {name: report[name] for name in ("warnings", "licence", "model", "mesh")}
        return files, facts | {
            "seconds": {**report["seconds"], **stages.seconds},
            "note": asset.extras.get("note"),
            "camera": None if work.file_options else _camera(views),
        }

    def _cut(self, work: Work, pipe: "ImageTo3D") -> "Cutout":
        from zero123pp.images import encode_png
        from zero123pp.pipelines.cutout import cut_along

        cutout = cut_along(self._outline(work, pipe), pipe.config.cutout)
        self.tell(Told("cutout", 1.0, {"cutout.png": encode_png(cutout.rgba)}))
        return cutout

    def _given_views(self, work: Work) -> "MultiView":
        from zero123pp.pipelines.inputs import Source

        return Source(views=decode(work.pictures["sheet"], "the sheet"), rig=work.rig).given_views()[0]

    def _show(self, stage: str, mesh: "Mesh") -> None:
        """The shape before it is textured, colours at its vertices."""
        from zero123pp.recon.export import encode_glb

        self.tell(Told(stage, 0.0, {"untextured.glb": encode_glb(mesh, "untextured", {})["untextured.glb"]}))

    def _export(self, work: Work) -> tuple[dict[str, bytes], dict[str, Any]]:
        from zero123pp.recon.export import FileOptions, export

        self._progress("export", 0.0)
        asked = dict(work.export)
        name = f"model.{asked.pop('format')}"
        with tempfile.TemporaryDirectory() as folder:  # of this process; no name in it is a visitor's
            source, target = Path(folder, "source.glb"), Path(folder, "out", name)
            source.write_bytes(work.pictures["model"])
            target.parent.mkdir()
            try:
                export(source, target, options=FileOptions(**work.file_options), **asked)
            except BadInput as error:
                raise BadInput(str(error).replace(f"{target.parent}{os.sep}", "").replace(str(folder), "")) from error
            files = {path.name: path.read_bytes() for path in sorted(target.parent.iterdir())}
        return (files if len(files) == 1 else {f"{name}.zip": _zipped(files)}), {"warnings": []}


def _files_of(asset: "Asset", file_options: Mapping[str, Any]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        glb = asset.save(Path(folder, "model.glb"), **file_options).read_bytes()
    report = json.dumps(dict(asset.report), indent=2, default=str).encode()
    return {"model.glb": glb, "thumbnail.png": thumbnail(asset, _THUMBNAIL_PX), "report.json": report}


def _sheet_of(views: "MultiView") -> dict[str, bytes]:
    from zero123pp.images import encode_png

    return {"views.png": encode_png(views.sheet)}


def _camera(views: "MultiView") -> Mapping[str, float] | None:
    """Where the picture's camera stood, as an orbit round a point; None where no view is the picture."""
    if views.input_view is None:
        return None
    return orbit_of(views.views[views.input_view].camera)


def orbit_of(camera: "Camera") -> dict[str, Any]:
    """A camera as viewers take it: degrees, world units.

    Returns:
        'target' (the point of its axis that is nearest to the origin), 'azimuth', 'elevation', 'distance' from it,
        'roll' (clockwise, of the camera) and 'fov' (of the picture's height).
    """
    pose = np.asarray(camera.world_from_cam, float)
    forward, down, eye = pose[:3, 2], pose[:3, 1], pose[:3, 3]
    distance = float(-eye @ forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= max(float(np.linalg.norm(right)), 1e-9)
    level_down = np.cross(forward, right)
    return {
        "target": (eye + distance * forward).tolist(),
        "azimuth": float(np.degrees(np.arctan2(-forward[0], -forward[2]))),
        "elevation": float(np.degrees(np.arcsin(np.clip(-forward[1], -1, 1)))),
        "distance": distance,
        "roll": float(np.degrees(np.arctan2(-down @ right, down @ level_down))),
        "fov": float(np.degrees(2 * np.arctan(camera.height / 2 / camera.fy))),
    }


def _jpeg(picture: "Image.Image") -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return file.getvalue()
