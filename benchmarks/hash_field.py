"""The hash-grid field on this machine: what its encoding costs, and its error over time beside that of the dense grid.

    python benchmarks/hash_field.py encoding
    python benchmarks/hash_field.py curves --meshes FOLDER --only NAME ...

write benchmarks/results/hash_encoding.json and hash_curves.{json,md,png}. The first compares back-ends on the same
points in turns, in processor seconds of one thread. The second fits each object once: the dense grid at each preset,
and the hash field that starts from the default grid, whose mesh is measured after given numbers of steps. Processor
seconds count all threads and the dense start; measuring is not counted.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from zero123pp.configs import load
from zero123pp.files import make_folder
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, TrueObject
from zero123pp.pipelines.evaluation.report import machine
from zero123pp.pipelines.image_to_mesh import PipelineConfig
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.field import Field
from zero123pp.recon.fitting.fit import fit
from zero123pp.recon.meshing.clean import clean
from zero123pp.recon.meshing.extract import extract
from zero123pp.recon.meshing.parts import load_normalised

AT = (10, 25, 50, 100, 200, 300)
"""Steps of the hash field after which its mesh is measured."""
POINTS, TURNS = 65_536, 5


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("encoding", "curves"))
    parser.add_argument("--meshes", metavar="FOLDER")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="config values of the hash field")
    parser.add_argument("--out", default=str(Path(__file__).parent / "results"), metavar="FOLDER")
    args = parser.parse_args()
    folder = make_folder(args.out)
    if args.what == "encoding":
        result = {"command": "python benchmarks/hash_field.py encoding", "machine": machine(), **encoding_costs()}
        (folder / "hash_encoding.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1))
        return
    meshes = find_meshes(args.meshes, args.only)
    curves = {path.stem: curve(path, args.set) for path in meshes}
    command = f"python benchmarks/hash_field.py curves --only {' '.join(curves)} {' '.join(args.set)}".rstrip()
    result = {"command": command, "machine": machine(), "curves": curves}
    (folder / "hash_curves.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / "hash_curves.md").write_text(to_markdown(result))
    plot(curves, folder / "hash_curves.png")
    print(to_markdown(result))


def encoding_costs() -> dict:
    """Processor milliseconds of one look-up and of look-up and gradient, per back-end, as medians over turns."""
    import torch

    from zero123pp.recon.ops.encoding import HashLayout, numba_cpu, reference

    torch.set_num_threads(1)
    layout = HashLayout(levels=16, log2_entries=17, base=16, growth=1.447)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(POINTS, 3, generator=generator)
    table = torch.randn(layout.entries, layout.features, generator=generator).requires_grad_()
    asked = torch.randn(POINTS, layout.width, generator=generator)
    costs: dict[str, list[tuple[float, float]]] = {"reference": [], "numba": []}
    for turn in range(TURNS + 1):
        for name, module in (("reference", reference), ("numba", numba_cpu)):
            start = time.process_time()
            features, _ = module.encode(points, table, layout)
            middle = time.process_time()
            torch.autograd.grad((features * asked).sum(), table)
            if turn:  # the first compiles
                costs[name].append((middle - start, time.process_time() - start))
    medians = {
        name: {"forward_ms": _median(each, 0), "forward_backward_ms": _median(each, 1)} for name, each in costs.items()
    }
    ratio = medians["reference"]["forward_backward_ms"] / medians["numba"]["forward_backward_ms"]
    return {"points": POINTS, "levels": layout.levels, "log2_entries": layout.log2_entries, "costs": medians,
            "reference_over_numba": round(ratio, 2)}  # fmt: skip


def _median(pairs: list[tuple[float, float]], index: int) -> float:
    return round(1000 * statistics.median(pair[index] for pair in pairs), 1)


def curve(path: Path, overrides: list[str]) -> list[dict]:
    """One row per measured mesh: method, processor seconds, CD, F@0.02 and normal consistency."""
    parts = load_normalised(str(path))
    views, truth = ground_truth_views(parts), TrueObject(parts, PROTOCOLS["sphere"])
    rows = []

    def measure(method: str, seconds: float, field: Field, config: PipelineConfig) -> None:
        mesh, _ = clean(extract(field, config.extract), config.clean)
        found = truth.measure_surface(mesh)
        rows.append({"method": method, "cpu_s": round(seconds, 2)}
                    | {key: round(float(found[key]), 5) for key in ("CD", "F0.02", "NC")})  # fmt: skip
        print(path.stem, rows[-1], flush=True)

    for preset in ("fast", "default", "quality"):
        config = load(PipelineConfig, preset)
        fit(views, replace(config.fit, steps=2))  # compile
        start = time.process_time()
        field = fit(views, config.fit)
        measure(f"grid, {preset}", time.process_time() - start, field, config)

    config = load(PipelineConfig, "default", ["fit.field=hash", f"fit.hash.steps={AT[-1]}", *overrides])
    pauses = [0.0]
    start = time.process_time()

    def watched(begin, settings, weights, *, seed, progress):
        fitter = hash_fit.Fitter(begin, settings, weights, seed=seed)
        for step in range(1, settings.steps + 1):
            fitter.step()
            if step in AT:
                spent = time.process_time() - start - pauses[0]
                voxel = 2 * half_extent[0] / (len(begin.sdf) - 1)
                sdf, color = fitter.nodes()
                measure(f"hash, {step} steps", spent, Field(sdf * voxel, color, half_extent[0]), config)
                pauses[0] = time.process_time() - start - spent
        return sdf, color, ""

    fit_module = import_module("zero123pp.recon.fitting.fit")
    from zero123pp.recon.fitting.hash import fit as hash_fit

    half_extent = [0.0]
    find_frame = fit_module.find_frame

    def framed(*at):
        found = find_frame(*at)
        half_extent[0] = found.half_extent
        return found

    with mock.patch.object(hash_fit, "fit_hash", watched), mock.patch.object(fit_module, "find_frame", framed):
        fit(views, config.fit)
    return rows


def plot(curves: dict[str, list[dict]], path: Path) -> None:
    """Error over processor seconds, one panel an object."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(curves), figsize=(3.2 * len(curves), 3), squeeze=False)
    for panel, (name, rows) in zip(panels[0], curves.items()):
        for kind, style in (("grid", "o"), ("hash", ".-")):
            chosen = [row for row in rows if row["method"].startswith(kind)]
            panel.plot([r["cpu_s"] for r in chosen], [r["CD"] for r in chosen], style, label=kind)
        panel.set(xscale="log", xlabel="processor seconds", title=name)
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("Chamfer distance")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def to_markdown(result: dict) -> str:
    """A page: per object, the grid's presets and the hash field after its steps."""
    lines = ["# The hash-grid field beside the dense grid, on a CPU", "", f"`{result['command']}`", ""]
    for name, rows in result["curves"].items():
        lines += [f"## {name}", "", "| method | CPU s | CD | F@0.02 | NC |", "|---|--:|--:|--:|--:|"]
        lines += [
            f"| {row['method']} | {row['cpu_s']:.1f} | {row['CD']:.4f} | {row['F0.02']:.3f} | {row['NC']:.3f} |"
            for row in rows
        ]
        lines.append("")
    lines.append("![Chamfer distance over processor seconds](hash_curves.png)")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
