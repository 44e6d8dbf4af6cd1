"""Processor seconds and quality of the fit against other ways from the same six true views to a mesh, in one run.

    python benchmarks/recon.py --meshes FOLDER --only 'ycb_m*'

writes benchmarks/results/NAME.md and NAME.json. Every mesh is cleaned, simplified, textured and measured by the same
code, so that only the step from views to surface differs. Processor seconds are those of all threads and hardly depend
on what else the machine does; wall seconds are not reported. Needs `pip install ".[diffusion,bench]"` (torch and
pymeshlab); what is not installed is left out and said so.
"""

import argparse
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # spinning OpenMP threads would count as work
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import methods
import numpy as np

from zero123pp.configs import load
from zero123pp.errors import StageFailed
from zero123pp.files import make_folder
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, TrueObject, measure_topology
from zero123pp.pipelines.evaluation.report import machine
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.fitting.fit import FitConfig
from zero123pp.recon.meshing.clean import clean
from zero123pp.recon.meshing.extract import extract
from zero123pp.recon.meshing.parts import load_normalised
from zero123pp.recon.texturing.texture import texture

COLUMNS = ("cpu_s", "CD", "F0.02", "IoU", "NC", "PSNR", "SSIM", "watertight", "manifold")
DECIMALS = {"cpu_s": 2, "CD": 4, "PSNR": 2, "watertight": 2, "manifold": 2}


def main() -> None:
    """Run the comparison and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, metavar="FOLDER", help="folder of meshes")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="names of objects to take; repeatable")
    parser.add_argument("--split", default="all", choices=("all", "tune", "report"), help="see docs/evaluation.md")
    parser.add_argument("--torch-objects", type=int, default=1, metavar="N",
                        help="objects that are also fitted with torch, which takes minutes (default: 1)")  # fmt: skip
    parser.add_argument("--out", default=str(Path(__file__).parent / "results"), metavar="FOLDER")
    parser.add_argument("--name", default="recon", metavar="NAME")
    args = parser.parse_args()
    folder = make_folder(args.out)
    ways, missing = available()
    rows = []
    for index, path in enumerate(find_meshes(args.meshes, args.only, args.split)):
        parts = load_normalised(path)
        views, truth = ground_truth_views(parts), TrueObject(parts, PROTOCOLS["sphere"])
        if index == 0:
            for way in ways.values():  # compile kernels, load libraries
                way(views, parts)
        for name, way in ways.items():
            rows.append(measured(path.stem, name, way, views, parts, truth))
        if index < args.torch_objects and find_spec("torch"):
            rows += torch_rows(path.stem, views, parts, truth)
    result = {
        "command": "python benchmarks/recon.py " + " ".join(word.replace(args.meshes, Path(args.meshes).name)
                                                           for word in sys.argv[1:]),
        "machine": machine(),
        "missing": missing,
        "rows": rows,
    }  # fmt: skip
    (folder / f"{args.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    page = to_markdown(result)
    (folder / f"{args.name}.md").write_text(page)
    print(page)


def available() -> tuple[dict[str, methods.Method], list[str]]:
    """The methods whose libraries are here, and what is missing."""
    ways = {
        "ours": methods.ours(),
        "ours, preset fast": methods.ours(load_fit("fast")),
        "visual hull": methods.visual_hull,
    }
    missing = []
    if find_spec("pymeshlab"):
        ways["screened Poisson of the hull"] = methods.poisson_from_hull
        ways["screened Poisson of true depths (oracle)"] = methods.poisson_from_true_depths
    else:
        missing.append("screened Poisson: pymeshlab is not installed")
    if not find_spec("torch"):
        missing.append("torch is not installed")
    return ways, missing


def load_fit(preset: str) -> FitConfig:
    """The fit's part of a preset."""
    from zero123pp.pipelines.image_to_mesh import PipelineConfig

    return load(PipelineConfig, preset).fit


def measured(name, method, way, views, parts, truth) -> dict:
    """One row: the method on one object."""
    print(f"{name}: {method}", file=sys.stderr, flush=True)
    try:
        mesh, seconds = methods.timed(way, views, parts)
    except StageFailed as error:
        return {"object": name, "method": method, "failed": str(error)}
    return {"object": name, "method": method, "cpu_s": seconds} | marks(mesh, views, truth)


def marks(mesh, views, truth) -> dict:
    """Quality of a mesh, textured from the views by the same code for all methods."""
    textured, _ = texture(mesh, views.views)
    return truth.measure_surface(mesh) | truth.measure_pictures(textured) | measure_topology(mesh)


def torch_rows(name, views, parts, truth) -> list[dict]:
    """The torch fits of one object, and the speed of the readable reference on a few of the same rays."""
    import torch
    import torch_fit

    torch.set_num_threads(1)
    config = FitConfig()

    def vectorised(views, parts):
        return clean(extract(torch_fit.fit_with(torch_fit.VectorisedSolver, views, config)))[0]

    rows = [measured(name, "torch, vectorised", vectorised, views, parts, truth)]
    print(f"{name}: readable reference on a few rays", file=sys.stderr, flush=True)
    comparison = torch_fit.Comparison()
    start = time.process_time()
    torch_fit.fit_with(torch_fit.comparing_solver(comparison), views, config)
    whole = time.process_time() - start - sum(comparison.reference_seconds.values())
    rows.append({
        "object": name,
        "method": "torch, readable reference (extrapolated)",
        "cpu_s": comparison.extrapolated(whole),
        "rays_done": sum(comparison.reference_rays.values()),
        "rays_of_fit": sum(comparison.kernel_rays.values()),
        "kernel_rays_per_cpu_s": sum(comparison.kernel_rays.values()) / sum(comparison.kernel_seconds.values()),
        "gradient_difference": comparison.worst_difference,
    })  # fmt: skip
    return rows


def to_markdown(result: dict) -> str:
    """The page: means over the objects that all complete methods share, the torch rows, every object."""
    rows = [row for row in result["rows"] if "failed" not in row]
    common = [row for row in rows if not row["method"].startswith("torch")]
    order = list(dict.fromkeys(row["method"] for row in common))
    objects = list(dict.fromkeys(row["object"] for row in common))
    lines = [
        "# From six true views to a mesh: this project's fit and other ways", "",
        f"- `{result['command']}`",
        f"- Machine: {result['machine']}. Other work ran beside it; `cpu_s` are processor seconds of all threads from "
        "views to cleaned mesh, which that changes by some percent. Wall seconds are not given.",
        "- v1.2 rig, 320 px, clean views; numbers as in docs/evaluation.md. All methods share cleaning (10,000 faces), "
        "texturing and measuring.",
        *(f"- Left out: {what}." for what in result["missing"]), "",
        f"## Means over {len(objects)} objects", "", *table([
            {"method": method} | means([row for row in common if row["method"] == method]) for method in order
        ]), "",
    ]  # fmt: skip
    lines += torch_section(rows)
    lines += ["## Each object", "", *table(rows, lead=("object", "method")), ""]
    failed = [row for row in result["rows"] if "failed" in row]
    lines += [f"- {row['object']}, {row['method']}: {row['failed']}" for row in failed]
    return "\n".join(lines).rstrip() + "\n"


def torch_section(rows: list[dict]) -> list[str]:
    """The torch rows beside ours on the same objects, and what the extrapolation stands on."""
    fitted = [row for row in rows if row["method"].startswith("torch")]
    if not fitted:
        return []
    objects = {row["object"] for row in fitted}
    ours = {row["object"]: row["cpu_s"] for row in rows if row["method"] == "ours" and row["object"] in objects}
    beside = [row for row in rows if row["object"] in objects and row["method"] == "ours"] + fitted
    compared = [row | {"times_ours": row["cpu_s"] / ours[row["object"]]} for row in beside]
    lines = [
        "## The same fit in torch", "",
        "Only the losses of rays and their gradients are torch's; hull, smoothing and optimiser are ours in all rows.",
        "`vectorised` is a whole fit with tensors over all rays and samples (one thread). `readable reference` is",
        "`recon/ops/field/reference.py`, a Python loop over rays that is written to be read: it is run on a few rays",
        "of every 35th step beside the kernel, and its time per ray is extrapolated to all rays of the fit, level by",
        "level.",
        "", *table(compared, lead=("object", "method", "times_ours")), "",
    ]  # fmt: skip
    for row in fitted:
        if "rays_done" in row:
            lines.append(
                f"- {row['object']}: {row['rays_done']} of {row['rays_of_fit']} rays done with the reference; the "
                f"kernel does {row['kernel_rays_per_cpu_s']:.0f} rays per processor second; largest relative "
                f"difference between the two gradients of a batch {row['gradient_difference']:.1e}."
            )
    return [*lines, ""]


def means(rows: list[dict]) -> dict:
    """Means of the columns over rows; what is not a number is left out."""
    return {key: float(np.nanmean([row[key] for row in rows])) for key in COLUMNS}


def table(rows: list[dict], lead: tuple[str, ...] = ("method",)) -> list[str]:
    """Markdown; cells that a row lacks are '-'."""
    columns = [*lead, *COLUMNS]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(lead) + "|--:" * len(COLUMNS) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(cell(key, row.get(key)) for key in columns) + " |")
    return lines


def cell(key: str, value: float | str | None) -> str:
    """One value as text."""
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value:.{DECIMALS.get(key, 3)}f}" if key != "times_ours" else f"{value:.3g}"


if __name__ == "__main__":
    main()
