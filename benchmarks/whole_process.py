"""Wall seconds from typing the command to a textured GLB, for sheets of true views, and the seconds of each stage.

    python benchmarks/whole_process.py --meshes FOLDER [--presets default fast]

writes benchmarks/results/whole_process.md and .json. Every object is a process of its own, as users start it, after one
that is not counted (it compiles kernels). Wall seconds mean something on an idle machine only; processor seconds stand
beside them. The page also says which large packages a run has imported at its end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from zero123pp.images import tile_sheet, to_uint8
from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
from zero123pp.pipelines.evaluation.report import machine, options_of
from zero123pp.pipelines.inputs.objects import find_meshes
from zero123pp.recon.meshing.parts import load_normalised

ROOT = Path(__file__).resolve().parent.parent
LARGE = ("torch", "diffusers", "transformers", "trimesh", "pymeshlab", "open3d", "onnxruntime", "rembg", "sklearn")
STAGES = ("align", "fit", "mesh", "texture", "check")


def main() -> None:
    """Run every object under every preset, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, metavar="FOLDER", help="folder of meshes")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="names of objects to take; repeatable")
    parser.add_argument("--presets", nargs="+", default=["default", "fast"], metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="FOLDER")
    args = parser.parse_args()
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        sheets = [written_sheet(mesh, Path(folder)) for mesh in find_meshes(args.meshes, args.only)]
        for preset in args.presets:
            one_process(sheets[0], preset)
            rows += [{"object": sheet.stem, "preset": preset} | one_process(sheet, preset) for sheet in sheets]
        modules = imported(sheets[0])
    result = {
        "command": " ".join(
            [f"python benchmarks/whole_process.py --meshes {Path(args.meshes).name}", *options_of(args, parser)]
        ),
        "machine": machine(),
        "load_at_the_end": os.getloadavg()[0],
        "imported": modules,
        "rows": rows,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "whole_process.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    page = to_markdown(result)
    (args.out / "whole_process.md").write_text(page, "utf-8")
    sys.stdout.write(page)


def written_sheet(mesh: Path, folder: Path) -> Path:
    """The six true views of the rig v1.2 as the PNG that the command reads."""
    views = ground_truth_views(load_normalised(mesh)).views
    tiles = np.stack([to_uint8(np.dstack([view.rgb, view.alpha])) for view in views])
    path = folder / f"{mesh.stem}.png"
    Image.fromarray(tile_sheet(tiles)).save(path)
    return path


def one_process(sheet: Path, preset: str) -> dict[str, float]:
    """Wall, processor and stage seconds and peak memory of one run of the command."""
    out, report = sheet.with_suffix(".glb"), sheet.with_suffix(".json")
    command = [sys.executable, str(ROOT / "run.py"), "--views", str(sheet), "--rig", "v1.2", "--preset", preset]
    before, start = os.times(), time.perf_counter()
    done = subprocess.run([*command, "--out", str(out), "--report", str(report)], capture_output=True, text=True)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise SystemExit(f"{sheet.stem}: {done.stderr.strip()}")
    said = json.loads(report.read_text())
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    stages = {stage: said["seconds"].get(stage, 0.0) for stage in STAGES}
    to_mesh = sum(stages[stage] for stage in ("align", "fit", "mesh"))
    return {"wall": wall, "cpu": cpu, "fit_to_mesh": to_mesh, **stages, "peak_mb": said["peak_memory_mb"]}


def imported(sheet: Path) -> list[str]:
    """Large packages that a run has imported when it ends."""
    code = (
        "import sys; from zero123pp.pipelines.commands.cli import main; "
        f"main(['--views', {str(sheet)!r}, '--out', {str(sheet.with_suffix('.glb'))!r}]); "
        f"sys.stderr.write('IMPORTED ' + ' '.join(name for name in {LARGE!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stderr.rpartition("IMPORTED ")[2].split()


def to_markdown(result: dict) -> str:
    """Medians and worst of each preset."""
    columns = ("wall", "cpu", "fit_to_mesh", *STAGES, "peak_mb")
    lines = [
        "# From the command to the GLB",
        "",
        f"`{result['command']}`; {result['machine']}. Seconds, median (worst) over the objects; `fit_to_mesh` is the "
        "wall of align, fit and mesh.",
        "",
        f"| preset | objects | {' | '.join(columns)} |",
        "|---|--:|" + "--:|" * len(columns),
    ]
    for preset in dict.fromkeys(row["preset"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["preset"] == preset]
        cells = [f"{np.median(values):.4g} ({max(values):.4g})" for values in ([r[c] for r in rows] for c in columns)]
        lines.append(f"| {preset} | {len(rows)} | {' | '.join(cells)} |")
    lines += ["", f"Large packages imported by the default run: {', '.join(result['imported']) or 'none'}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
