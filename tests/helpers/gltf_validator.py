"""The Khronos glTF validator for tests: `report_of(path)` fails on anything it finds; see `validate_glb`."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

from paths import ROOT

FOLDER = ROOT / "tests" / "gltf"


def report_of(path: str | Path) -> dict:
    """The validator's report on a file without errors, warnings, infos or hints."""
    done = subprocess.run(["node", FOLDER / "validate.js", path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    issues = report["issues"]
    counts = {kind: issues[kind] for kind in ("numErrors", "numWarnings", "numInfos", "numHints")}
    assert not any(counts.values()), f"{path}: {counts}: {issues['messages'][:5]}"
    return report


@cache
def unavailable() -> str:
    """Why the validator cannot run, or nothing; installs it once."""
    if not shutil.which("node"):
        return "no node on the path"
    if (FOLDER / "node_modules" / "gltf-validator").is_dir():
        return ""
    if not shutil.which("npm"):
        return f"not installed in {FOLDER}, and no npm on the path"
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        return "npm ci took longer than three minutes"
    return "" if done.returncode == 0 else f"npm ci failed: {done.stderr.strip()[:200]}"
