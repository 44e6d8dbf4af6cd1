"""Everything that only a CUDA card can show, in one command on a bare machine without a network.

    python benchmarks/gpu.py --meshes FOLDER --out FOLDER [--wheels FOLDER] [--sources FOLDER] [--published NAME ...]

1. installs the wheels of --wheels, and builds tiny-cuda-nn and nvdiffrast from the trees in --sources, where given;
2. asks the doctor, and runs the GPU tests;
3. times every encoding and marcher against the torch reference on the same card;
4. reconstructs every mesh of --meshes from six true views: the default on the processor, and --preset gpu;
5. fits the meshes named by --published once more with the settings that instant-nsr-pl published (20,000 steps from a
   sphere), in the same code on the same views;

and writes gpu.json, gpu.md and gpu.png to --out. A step that fails is written down, and the next one begins.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PUBLISHED = [
    "fit.field=hash", "fit.hash.start=sphere", "fit.hash.steps=20000", "fit.hash.rays=8192", "fit.hash.levels=16",
    "fit.hash.log2_entries=19", "fit.hash.base=32", "fit.hash.finest=2048", "fit.hash.first_levels=16",
    "fit.hash.resolution=256", "fit.hash.sample_step=0.43", "fit.hash.sharpness=0.16", "fit.hash.lr=0.01",
    "fit.hash.weight_eikonal=0.1", "fit.hash.weight_smooth=0", "fit.weight_rgb=10", "fit.weight_mask=0.1",
]  # fmt: skip
"""configs/neus-blender.yaml of instant-nsr-pl: 16 levels of 2^19 entries from 32 nodes by 1.3195, squared colour errors
times 10, silhouettes times 0.1, eikonal 0.1, 1e-2 falling to a tenth, s = exp(3) per unit of a cube of side 3, 1024
steps along the cube's diagonal, and about 2^18 samples a step."""

POINTS, TURNS = 2**18, 20


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meshes", required=True, metavar="FOLDER")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--wheels", metavar="FOLDER")
    parser.add_argument("--sources", metavar="FOLDER", help="with tiny-cuda-nn/ and nvdiffrast/, submodules included")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="meshes (default: all)")
    parser.add_argument("--published", nargs="*", default=[], metavar="NAME")
    args = parser.parse_args()
    from zero123pp.files import make_folder
    from zero123pp.pipelines.inputs.objects import find_meshes

    out = make_folder(args.out)
    result: dict = {"command": "python benchmarks/gpu.py " + " ".join(sys.argv[1:])}

    def step(name: str, work, *given) -> None:
        start = time.perf_counter()
        try:
            result[name] = work(*given)
        except Exception as error:  # whatever fails, the other steps are worth their time on the card
            result[name] = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
        result[name]["step_s"] = round(time.perf_counter() - start, 1)
        (out / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")
        print(name, json.dumps(result[name])[:1500], flush=True)

    step("installed", install, args.wheels, args.sources)
    step("doctor", doctor)
    step("tests", gpu_tests)
    step("encodings", encoding_times)
    meshes = find_meshes(args.meshes, args.only)
    pictures: list = []
    step("reconstructions", reconstructions, meshes, pictures)
    step("published", published, [path for path in meshes if path.stem in args.published])
    (out / "gpu.md").write_text(to_markdown(result))
    if pictures:
        save_sheet(pictures, out / "gpu.png")
    print(to_markdown(result))


def install(wheels: str | None, sources: str | None) -> dict:
    """Return codes and seconds of the installations, with the end of the output of those that failed."""
    commands = {}
    if wheels:
        found = [str(path) for path in sorted(Path(wheels).glob("*.whl"))]
        commands["wheels"] = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", *found]
    if sources and (Path(sources) / "tiny-cuda-nn").is_dir():
        setup = Path(sources).resolve() / "tiny-cuda-nn" / "bindings" / "torch"
        # Without its networks it needs no cutlass and builds in a fraction of the time; only encodings are used.
        commands["tinycudann"] = ["sh", "-c", f"cd '{setup}' && '{sys.executable}' setup.py --no-networks install"]
    if sources and (Path(sources) / "nvdiffrast").is_dir():
        tree = str(Path(sources).resolve() / "nvdiffrast")
        commands["nvdiffrast"] = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", tree]
    done = {}
    for name, command in commands.items():
        start = time.perf_counter()
        run = subprocess.run(command, capture_output=True, text=True)
        done[name] = {"rc": run.returncode, "s": round(time.perf_counter() - start, 1)}
        if run.returncode:
            done[name]["end"] = (run.stdout + run.stderr)[-1500:]
    return done


def doctor() -> dict:
    """The report of `zero123pp doctor`."""
    run = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "doctor", "--device", "cuda"], capture_output=True, text=True
    )
    return {"rc": run.returncode, "lines": (run.stdout + run.stderr).splitlines()}


def gpu_tests() -> dict:
    """The end of `pytest -m gpu`."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "tests"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return {"rc": run.returncode, "lines": run.stdout.splitlines()[-40:]}


def encoding_times() -> dict:
    """Milliseconds of look-up, and of look-up and gradient, with and without slopes, per back-end."""
    import torch

    from zero123pp.errors import MissingBackend
    from zero123pp.recon.ops import encoding

    layout = encoding.HashLayout(levels=16, log2_entries=19, base=16, growth=1.447)
    points = torch.rand(POINTS, 3, device="cuda")
    table = torch.randn(layout.entries, layout.features, device="cuda").requires_grad_()
    found: dict = {"points": POINTS, "levels": 16, "log2_entries": 19, "device": torch.cuda.get_device_name()}
    for name in ("reference", "triton", "tinycudann"):
        try:
            module = encoding.choose(name, "cuda")[1]
        except MissingBackend as error:
            found[name] = {"missing": str(error)}
            continue
        row = {}
        for slopes in (False, True):

            def both(module=module, slopes=slopes):
                features, derivatives = module.encode(points, table, layout, None, slopes)
                total = features.square().sum() + (derivatives.square().sum() if slopes else 0)
                torch.autograd.grad(total, table)

            row["slopes_ms" if slopes else "ms"] = _milliseconds(both)
        found[name] = row
    return found


def _milliseconds(work) -> float:
    import torch

    for _ in range(3):
        work()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(TURNS):
        work()
    torch.cuda.synchronize()
    return round(1000 * (time.perf_counter() - start) / TURNS, 3)


def reconstructions(meshes: list[Path], pictures: list) -> dict:
    """Every mesh by the default preset on the processor and by the GPU preset; wall seconds are of the second call."""
    from zero123pp.configs import load
    from zero123pp.pipelines.image_to_mesh import PipelineConfig

    found: dict = {"rows": []}
    for index, path in enumerate(meshes):
        row = {"name": path.stem}
        for label, preset in (("cpu", "default"), ("gpu", "gpu")):
            config = load(PipelineConfig, preset)
            if index == 0:
                _reconstructed(path, config)  # compiles kernels
            measured, views, done = _reconstructed(path, config)
            row |= {f"{label}_{key}": value for key, value in measured.items()}
        if index < 8:
            pictures.append((path.stem, views, done))
        found["rows"].append(row)
    numbers = [key for key, value in found["rows"][0].items() if isinstance(value, float)]
    found["mean"] = {key: round(sum(row[key] for row in found["rows"]) / len(found["rows"]), 4) for key in numbers}
    return found


def published(meshes: list[Path]) -> dict:
    """The published settings beside the GPU preset, on the same views."""
    from zero123pp.configs import load
    from zero123pp.pipelines.image_to_mesh import PipelineConfig

    rows = []
    for path in meshes:
        ours = _reconstructed(path, load(PipelineConfig, "gpu"))[0]
        theirs = _reconstructed(path, load(PipelineConfig, "gpu", PUBLISHED))[0]
        rows.append({"name": path.stem, "gpu": ours, "published": theirs,
                     "times_faster": round(theirs["fit_s"] / ours["fit_s"], 1)})  # fmt: skip
    return {"settings": PUBLISHED, "rows": rows}


def _reconstructed(path: Path, config) -> tuple[dict, object, object]:
    import torch

    from zero123pp.pipelines.evaluation.ground_truth import ground_truth_views
    from zero123pp.pipelines.evaluation.protocol import PROTOCOLS, TrueObject
    from zero123pp.pipelines.progress import Stages
    from zero123pp.pipelines.reconstruct import reconstruct
    from zero123pp.recon.meshing.parts import load_normalised

    parts = load_normalised(str(path))
    views, truth, stages = ground_truth_views(parts), TrueObject(parts, PROTOCOLS["sphere"]), Stages()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    done = reconstruct(views, config, stages=stages)
    seconds = time.perf_counter() - start
    surface = truth.measure_surface(done.mesh)
    measured = {key: round(float(surface[key]), 5) for key in ("CD", "F0.02", "NC")}
    measured |= {"s": round(seconds, 3), "fit_s": stages.seconds["fit"]}
    measured["gpu_mb"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return measured, views, done


def save_sheet(pictures: list, path: Path) -> None:
    """Rows of true views and the same views of the mesh."""
    from PIL import Image

    from zero123pp.pipelines.evaluation.contact_sheet import contact_sheet
    from zero123pp.recon.render import render

    rows, labels = [], []
    for name, views, done in pictures:
        chosen = views.views[:3]
        shown = [render(done.textured, view.camera) for view in chosen]
        rows.append(
            [picture for view, ours in zip(chosen, shown) for picture in (view.rgb, ours.rgb, ours.normal / 2 + 0.5)]
        )
        labels.append(name)
    Image.fromarray(contact_sheet(rows, row_labels=labels, column_labels=["true", "GPU preset", "normals"] * 3)).save(
        path
    )


def to_markdown(result: dict) -> str:
    """A page of what was measured."""
    lines = ["# On a GPU", "", f"`{result['command']}`", ""]
    for name in ("installed", "encodings"):
        lines += [f"## {name}", "", "```", json.dumps(result.get(name), indent=1), "```", ""]
    for name in ("doctor", "tests"):
        lines += [f"## {name}", "", "```", *result.get(name, {}).get("lines", []), "```", ""]
    rows = result.get("reconstructions", {}).get("rows", [])
    if rows:
        columns = list(rows[0])
        lines += ["## reconstructions", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += ["| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows]
        mean = result["reconstructions"]["mean"]
        lines += ["| " + " | ".join(str(mean.get(column, "mean")) for column in columns) + " |", ""]
    lines += ["## published settings", "", "```", json.dumps(result.get("published"), indent=1), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
