"""``zero123pp doctor``: what this machine has, which back-end each family will use and why, and a self-test of each."""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from zero123pp.machine import processor_name, processors

_DIFFUSION, _PAGE = "pip install 'zero123pp[diffusion]'", "see docs/gpu.md"
PACKAGES = {
    "torch": _DIFFUSION,
    "diffusers": _DIFFUSION,
    "transformers": _DIFFUSION,
    "numba": "pip install numba",
    "onnxruntime": "pip install onnxruntime",
    "libigl": "pip install 'zero123pp[eval]'",
    "open3d": "pip install 'zero123pp[open3d]'",
    "pymeshlab": "pip install 'zero123pp[meshlab]'; GPL-3.0",
    "embreex": "pip install 'zero123pp[embree]'",
    "rembg": "pip install 'zero123pp[rembg]'",
    "ray": "pip install 'zero123pp[ray]'",
    "triton": "CUDA builds of torch bring it",
    "nerfacc": "pip install 'zero123pp[cuda]', then " + _PAGE,
    "tinycudann": _PAGE,
    "nvdiffrast": _PAGE + "; licensed for non-commercial use only",
}
"""Distribution -> how to get it."""


@dataclass(frozen=True)
class Finding:
    """One back-end as it was found."""

    family: str
    name: str
    cause: str | None
    """Why it cannot be used; None where it can."""
    chosen: bool
    """Whether "auto" takes it."""
    test: str = ""
    """Result of the self-test, or empty."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``run.py doctor``."""
    add = parser.add_argument
    add("--device", default="auto", help="device to look at: auto, cpu, cuda or cuda:N (default: auto)")
    add("--no-tests", action="store_true", help="look only, run nothing")
    add("--json", metavar="FILE", help="also write what was found to this file")


def run(args: argparse.Namespace) -> int:
    """Print the findings; returns 1 where a back-end that would be used fails its self-test."""
    device, about = _device(args.device)
    found = examine(device, tests=not args.no_tests)
    packages = {name: _version(name) for name in PACKAGES}
    sys.stdout.write(_as_text(about, packages, found))
    if args.json:
        from zero123pp.files import write_json

        write_json({"machine": about, "packages": packages, "backends": [asdict(f) for f in found]}, Path(args.json))
    return int(any(f.chosen and f.test.startswith("FAILED") for f in found))


def examine(device: str, *, tests: bool = True) -> list[Finding]:
    """Every back-end of every family, for data on ``device``."""
    from zero123pp.recon.ops import FAMILIES, why_not

    findings = []
    for family in FAMILIES:
        taken = False
        for name in family.backends:
            cause = why_not(family.backends, name, device)
            result = _tested(lambda: family.error(name, device)) if tests and cause is None else ""  # noqa: B023
            findings.append(Finding(family.title, name, cause, cause is None and not taken, result))
            taken = taken or cause is None
    return findings


def _tested(error: Callable[[], float]) -> str:
    start = time.perf_counter()
    try:
        found = error()
    except Exception as failure:  # a broken library can raise anything, and the doctor has to go on
        return f"FAILED ({type(failure).__name__}: {' '.join(str(failure).split())[:200]})"
    verdict = "agrees with" if found < 1e-3 else "FAILED: differs from"
    return f"{verdict} the reference to {found:.0e}, {time.perf_counter() - start:.1f} s"


def _device(asked: str) -> tuple[str, dict[str, str]]:
    """The device to look at, and what the machine is."""
    about = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": f"{len(processors())} x {processor_name()}",
    }
    try:
        import torch
    except ImportError:
        return "cpu", about | {"device": "cpu (torch is not installed)"}
    from zero123pp.recon.ops import device_of

    device = str(device_of(asked))
    if device.startswith("cuda"):
        index = torch.device(device)
        free, total = torch.cuda.mem_get_info(index)
        about["device"] = (
            f"{device}: {torch.cuda.get_device_name(index)}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free"
        )
    else:
        about["device"] = "cpu" + ("" if torch.cuda.is_available() else " (torch sees no CUDA device)")
    return device, about


def _version(name: str) -> str | None:
    for each in (name, f"{name}-cpu"):  # open3d-cpu is open3d in a smaller wheel
        try:
            return metadata.version(each)
        except metadata.PackageNotFoundError:
            pass
    return None


def _as_text(about: dict[str, str], packages: dict[str, str | None], found: list[Finding]) -> str:
    lines = ["machine"] + [f"  {key:<10} {value}" for key, value in about.items()]
    lines += ["", "packages"]
    for name, version in packages.items():
        lines.append(f"  {name:<13} {version or f'not installed ({PACKAGES[name]})'}")
    lines += ["", "back-ends (* is what auto takes)"]
    for family in dict.fromkeys(f.family for f in found):
        lines.append(f"  {family}")
        for f in (f for f in found if f.family == family):
            state = f"cannot be used: {f.cause}" if f.cause else f"ready{'; ' if f.test else ''}{f.test}"
            lines.append(f"   {'*' if f.chosen else ' '} {f.name:<11} {state}")
    if not any("cuda" in value for key, value in about.items() if key == "device" and not value.startswith("cpu")):
        lines += ["", "No GPU is used. Everything runs on the processor: nothing more is needed."]
    return "\n".join(lines) + "\n"
