"""What ships: one import name, every package listed, the presets and the network inside the wheel."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
from paths import ROOT

ROOTS = {"zero123pp": "zero123pp", "recon": "zero123pp.recon", "pipelines": "zero123pp.pipelines"}


def _packages_on_disk() -> set[str]:
    found = {"zero123pp.configs"}
    for folder, name in ROOTS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / folder).parts]))
    return found


@pytest.mark.quick
def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == _packages_on_disk()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as for a release."""
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source") / "zero123pp"
    # A copy: setuptools keeps a folder of earlier builds, with modules that are gone by now.
    keep_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "docs", "benchmarks")
    shutil.copytree(ROOT, source, ignore=keep_out)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_has_one_import_name_and_every_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"zero123pp"}
    modules = {name for name in names if name.endswith(".py")}
    on_disk = {f"zero123pp/{path.relative_to(ROOT / folder)}" if folder == "zero123pp" else
               f"zero123pp/{path.relative_to(ROOT)}"
               for folder in ("zero123pp", "recon", "pipelines", "configs")
               for path in (ROOT / folder).rglob("*.py")}  # fmt: skip
    assert modules == on_disk
    assert "zero123pp/configs/default.yaml" in names
    for network in (
        "pipelines/cutout/bundled",
        "recon/prior/weights/one_view",
        "recon/fitting/correction/weights/correction",
    ):
        assert f"zero123pp/{network}.onnx" in names
    assert not [name for name in names if "golden" in name or "test" in name]


ONLY = """
import sys
from importlib.metadata import packages_distributions, requires
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

wanted, found = ["zero123pp"], set()
while wanted:
    name = canonicalize_name(wanted.pop())
    if name not in found:
        found.add(name)
        needed = [Requirement(line) for line in requires(name) or ()]
        wanted += [each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
others = {name for name, owners in packages_distributions().items() if not found & set(map(canonicalize_name, owners))}
assert "torch" in others and "numpy" not in others

class NotInstalled:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in others:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled)
"""
"""Nothing but the packages that a plain install brings can be imported."""


@pytest.mark.slow
def test_the_installed_wheel_makes_the_toy_far_from_the_checkout(wheel, tmp_path):
    """As a newcomer has it: no checkout around, nothing of it on the path, and none of the extras."""
    home, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(home), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    shutil.copy(ROOT / "docs" / "toy.png", work)
    code = ONLY + (
        "import zero123pp; from zero123pp.pipelines.commands.cli import main;"
        "assert len(zero123pp.__path__) == 1, zero123pp.__path__; sys.stdout.write(zero123pp.__path__[0]);"
        "sys.exit(main(['--image', 'toy.png', '--out', 'toy.glb', '--report', 'toy.json']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(home), "HF_HOME": str(tmp_path / "no hub")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=work, env=environment, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == str(home / "zero123pp")
    report = json.loads((work / "toy.json").read_text())
    assert report["mesh"]["watertight"] and "preview" in json.dumps(report)
    assert (work / "toy.glb").read_bytes()[:4] == b"glTF"
