"""How well models draw the six views of known objects, beside baselines that know nothing of the picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zero123pp.errors import Zero123ppError
from zero123pp.pipelines.evaluation.features import FeatureDistance
from zero123pp.pipelines.evaluation.lit import Lighting
from zero123pp.pipelines.evaluation.report import Row
from zero123pp.pipelines.evaluation.sheets import (
    Sheet,
    TrueSheets,
    blank,
    differences,
    drawn_by,
    repeated,
    true_sheets,
)
from zero123pp.pipelines.models import MultiViewModel
from zero123pp.recon.meshing import load_normalised

WRONG = "wrong input"
MAX_PICTURED = 12
"""Objects on the contact sheet at most."""


@dataclass(frozen=True)
class Drawing:
    """What is asked of every model."""

    tile_px: int = 320
    """Side of the views that are compared."""
    queries: int = 1
    """Input views an object, drawn as in training."""
    seed: int = 0
    steps: int | None = None
    """Denoising steps; None for each model's own."""
    guidance: float | None = None
    """Guidance scale; None for each model's own."""
    depth_scale: float | None = None
    """Weight of the true depth under which models that can are asked to draw as well; None for not at all."""


@dataclass
class SheetResults:
    """What came out."""

    rows: "dict[str, list[Row]]" = field(default_factory=dict)
    """Method to its rows, object by object."""
    failures: dict[str, str] = field(default_factory=dict)
    pictures: list[list[np.ndarray]] = field(default_factory=list)
    """Input, truth and each method's sheet, for the first `MAX_PICTURED` objects."""
    labels: list[str] = field(default_factory=list)


class ViewsEvaluation:
    """Models and baselines over objects, one after the other."""

    def __init__(
        self, models: dict[str, MultiViewModel], features: Sequence[FeatureDistance], drawing: Drawing,
        mean: tuple[Sheet, str] | None, lighting: Lighting | None,
    ) -> None:  # fmt: skip
        self._models, self._features, self._drawing = models, features, drawing
        self._mean, self._lighting = mean, lighting
        self._rigs = list(dict.fromkeys([*(model.rig for model in models.values()), *([mean[1]] if mean else [])]))

    def of(self, meshes: Sequence[Path], log: Callable[[str], object] | None = None) -> SheetResults:
        """All objects; those that fail are listed."""
        results = SheetResults()
        kept: list[tuple[TrueSheets, dict[str, Sheet]]] = []  # first and last: the wrong input is the object before
        for mesh in meshes:
            for number in range(self._drawing.queries):
                try:
                    parts = load_normalised(mesh)
                    options = {"seed": self._drawing.seed, "lighting": self._lighting}
                    truth = true_sheets(mesh.stem, parts, number, self._rigs, self._drawing.tile_px, **options)
                    drawn = self._drawn(truth)
                except Zero123ppError as error:
                    results.failures[f"{mesh.stem}.{number}" if number else mesh.stem] = str(error)
                    continue
                self._enter(results, truth, drawn)
                if kept:
                    self._enter_wrong(results, truth, kept[-1][1])
                kept = [*kept[:1], (truth, drawn)]
                if log is not None:
                    log(f"{truth.name}: " + self._headline(results) + "\n")
        if len(kept) == 2:
            self._enter_wrong(results, kept[0][0], kept[1][1])
        return results

    def _drawn(self, truth: TrueSheets) -> dict[str, Sheet]:
        drawing = self._drawing
        options = {"seed": drawing.seed, "steps": drawing.steps, "guidance": drawing.guidance}
        sheets = {name: drawn_by(model, truth, drawing.tile_px, **options) for name, model in self._models.items()}
        if drawing.depth_scale is not None:
            for name, model in self._models.items():
                if "depth" in model.controls:
                    controlled = drawn_by(model, truth, drawing.tile_px, depth_scale=drawing.depth_scale, **options)
                    sheets[f"{name} + depth"] = controlled
        return sheets

    def _enter(self, results: SheetResults, truth: TrueSheets, drawn: dict[str, Sheet]) -> None:
        """Rows of the models and of the baselines."""
        sheets = {name: (sheet, self._rig_of(name)) for name, sheet in drawn.items()}
        for rig in self._rigs:
            also = "" if len(self._rigs) == 1 else f" ({rig})"
            sheets[f"repeat{also}"] = repeated(truth, self._drawing.tile_px), rig
            sheets[f"gray{also}"] = blank(self._drawing.tile_px), rig
        if self._mean:
            sheets["mean"] = self._mean
        for method, (sheet, rig) in sheets.items():
            self._row(results, method, truth, sheet, rig)
        if len(results.pictures) < MAX_PICTURED:
            rig = self._rigs[0]
            shown = [truth.sheets[rig].rgb, *(sheet.rgb for sheet, _ in sheets.values())]
            results.pictures.append([truth.cutout.rgba, *shown])
            results.labels = ["input", "truth", *sheets]

    def _enter_wrong(self, results: SheetResults, truth: TrueSheets, others: dict[str, Sheet]) -> None:
        for name, sheet in others.items():
            self._row(results, f"{name}, {WRONG}", truth, sheet, self._rig_of(name))

    def _rig_of(self, method: str) -> str:
        return self._models[method.removesuffix(" + depth")].rig

    def _row(self, results: SheetResults, method: str, truth: TrueSheets, sheet: Sheet, rig: str) -> None:
        row = {"object": truth.name} | differences(sheet, truth.sheets[rig], self._features)
        results.rows.setdefault(method, []).append(row)

    def _headline(self, results: SheetResults) -> str:
        last = {name: results.rows[name][-1] for name in self._models}
        return "  ".join(f"{name} {row['PSNR']:.2f} dB, IoU {row['alpha_IoU']:.3f}" for name, row in last.items())
