"""The doctor: what it says of a machine, and what it does when a back-end is broken."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from paths import ROOT

from zero123pp.pipelines.commands import cli
from zero123pp.recon import ops


@pytest.fixture
def cpu(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_it_names_what_each_family_will_use(cpu, capsys, tmp_path):
    assert cli.main(["doctor", "--json", str(tmp_path / "found.json")]) == 0
    text = capsys.readouterr().out
    assert "No GPU is used. Everything runs on the processor" in text
    found = json.loads((tmp_path / "found.json").read_text())["backends"]
    chosen = {each["family"]: each["name"] for each in found if each["chosen"]}
    assert chosen["hash encoding"] == "numba" and chosen["rays of the hash field"] == "packed"
    assert set(chosen) == {family.title for family in ops.FAMILIES}
    for each in found:
        assert each["name"] in text
        if each["cause"] is None:
            assert each["test"].startswith("agrees with the reference")
        else:
            assert each["cause"] in text and not each["test"]


def test_looking_only_runs_nothing(cpu, capsys):
    assert cli.main(["doctor", "--no-tests"]) == 0
    assert "agrees" not in capsys.readouterr().out


@pytest.mark.parametrize("broken", [lambda name, device: 0.5, lambda name, device: 1 / 0], ids=["wrong", "raises"])
def test_a_broken_back_end_that_would_be_used_fails(cpu, capsys, monkeypatch, broken):
    family = replace(ops.FAMILIES[0], error=broken)
    monkeypatch.setattr(ops, "FAMILIES", (family,))
    assert cli.main(["doctor"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_device_that_is_not_there_is_bad_usage(cpu, capsys):
    assert cli.main(["doctor", "--device", "cuda"]) == 2
    error = capsys.readouterr().err
    assert "finds no CUDA device" in error and error.count("\n") == 1


def test_it_imports_no_cuda_library_without_a_gpu():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    program = (
        "import sys; from zero123pp.pipelines.commands.doctor import examine; examine('cpu')\n"
        "print([m for m in ('triton', 'nerfacc', 'tinycudann', 'nvdiffrast') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_without_torch_it_still_speaks():
    program = "\n".join([
        "import sys; sys.modules['torch'] = None",
        "from zero123pp.pipelines.commands import cli; sys.exit(cli.main(['doctor']))",
    ])  # fmt: skip
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "cpu (torch is not installed)" in result.stdout and "* numba       ready; agrees" in result.stdout
    assert "zero123pp[diffusion]" in result.stdout
