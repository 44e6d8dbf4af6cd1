"""What ships: one import name, every package listed, the presets and the network inside the wheel."""

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


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == _packages_on_disk()


@pytest.mark.slow
def test_the_wheel_installs_one_import_name(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"zero123pp"}
    assert "zero123pp/configs/default.yaml" in names
    assert "zero123pp/pipelines/cutout/bundled.onnx" in names
    assert not [name for name in names if "golden" in name or "test" in name]
