"""One test for each promise of SECURITY.md that no other test keeps; SECURITY.md names them all."""

import ast
import ctypes
import io
import json
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from PIL import Image

from zero123pp import ImageTo3D
from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.read_image import read_image
from zero123pp.recon.export import save
from zero123pp.types import Mesh, TexturedMesh

MODEL = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"
SOURCES = [path for room in ("zero123pp", "recon", "pipelines", "configs") for path in (ROOT / room).rglob("*.py")]


def planted(folder: Path, ran: Path) -> Path:
    """A copy of a checkpoint that brings code along, in every place from which some loader runs code."""
    shutil.copytree(MODEL, folder)
    code = f"open({str(ran)!r}, 'w').close()\nclass Evil:\n    pass\n"
    for place in ("pipeline.py", "__init__.py", "unet/pipeline.py", "unet/modeling_evil.py", "vision_encoder/evil.py"):
        (folder / place).write_text(code)
    for config in ("unet/config.json", "vision_encoder/config.json"):
        said = json.loads((folder / config).read_text())
        said["auto_map"] = {"AutoModel": "modeling_evil.Evil", "AutoConfig": "evil.Evil"}
        (folder / config).write_text(json.dumps(said))
    return folder


@pytest.mark.parametrize("index", ["as it is", "names the planted class"])
def test_code_in_a_checkpoint_never_runs(tmp_path, index):
    pytest.importorskip("diffusers")
    ran = tmp_path / "ran"
    folder = planted(tmp_path / "model", ran)
    if index != "as it is":
        said = json.loads((folder / "model_index.json").read_text())
        said["_class_name"] = ["pipeline", "Evil"]
        said["unet"] = ["pipeline", "Evil"]
        (folder / "model_index.json").write_text(json.dumps(said))
    assert ImageTo3D.from_pretrained(folder).model is not None  # with the pipeline's own classes
    assert not ran.exists()


class _Call:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    "part", ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "vision_encoder/model"]
)
def test_pickled_weights_never_run(tmp_path, part):
    pytest.importorskip("diffusers")
    folder, ran = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(MODEL, folder)
    (folder / f"{part}.safetensors").unlink()
    name = part.replace("vision_encoder/model", "vision_encoder/pytorch_model") + ".bin"
    with open(folder / name, "wb") as file:
        pickle.dump({"weight": _Call(ran)}, file)
    with pytest.raises(BadInput, match="holds more than weights, perhaps code"):
        ImageTo3D.from_pretrained(folder)
    assert not ran.exists()


def calls_of(path: Path) -> set[str]:
    """Names of what a file calls, and ``name=True`` for the arguments that are given as True."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
            found |= {f"{k.arg}=True" for k in node.keywords if getattr(k.value, "value", None) is True}
            found |= {str(k.arg) for k in node.keywords}
    return found


def test_nothing_in_the_package_runs_text_or_pickles():
    forbidden = {"eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads", "marshal.loads"}
    forbidden |= {"yaml.load", "shell=True", "trust_remote_code", "custom_pipeline", "__import__", "allow_pickle=True"}
    assert len(SOURCES) > 100
    for path in SOURCES:
        assert not calls_of(path) & forbidden, f"{path.relative_to(ROOT)}: {calls_of(path) & forbidden}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                said = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
                assert said.get("weights_only") is True, path
    assert not (ROOT / "setup.py").exists()  # nothing runs at install time


def test_bombs_cost_no_memory(tmp_path):
    """Under a limit of address space far below what the pictures would unpack to."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(ROOT / "tests" / "helpers")!r})
from fuzz_inputs import CORPUS, one_picture
resource.setrlimit(resource.RLIMIT_AS, (1500 * 2**20,) * 2)
print(one_picture((CORPUS / "pictures" / "bomb.png").read_bytes()))
print(one_picture((CORPUS / "pictures" / "text_bomb.png").read_bytes()))
"""
    limited = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=limited, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "megapixels" in done.stdout and "not a picture" in done.stdout


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.png", "https://localhost/a.png", "file:///etc/passwd"])
def test_no_address_is_ever_fetched(monkeypatch, address):
    def connect(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(BadInput, match="not fetched"):
        read_image(address)


def large_asset() -> TexturedMesh:
    """Noise, so that nothing of it compresses."""
    noise = np.random.default_rng(0)
    count = 30_000
    mesh = Mesh(noise.random((count, 3)), np.arange(count, dtype=np.int32).reshape(-1, 3))
    texture = noise.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    return TexturedMesh(mesh, noise.random((count, 2)), texture)


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl"])
def test_a_full_disk_leaves_the_old_file_or_none(tmp_path, suffix):
    disk = tmp_path / "disk"
    disk.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 0, b"size=64k"):
        pytest.skip("a small disk cannot be mounted here")
    try:
        with pytest.raises(BadInput, match="disk is full"):
            save(large_asset(), disk / f"a{suffix}")
        assert list(disk.iterdir()) == []
        (disk / f"a{suffix}").write_bytes(b"old")
        with pytest.raises(BadInput, match="disk is full"):
            save(large_asset(), disk / f"a{suffix}")
        assert [path.name for path in disk.iterdir()] == [f"a{suffix}"]
        assert (disk / f"a{suffix}").read_bytes() == b"old"
    finally:
        libc.umount2(str(disk).encode(), 2)


PAUSED = """
import contextlib, os, signal, sys, time
from zero123pp.pipelines import progress
from zero123pp.pipelines.commands import cli

def pause():
    print("in the middle", flush=True)
    time.sleep(600)

@contextlib.contextmanager
def bars(quiet):
    yield lambda stage, done: pause() if stage == sys.argv[1] and done > 0 else None

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
progress.told_progress = bars
if sys.argv[1] == "writing":
    os.fsync = lambda file: pause()
sys.exit(cli.main(sys.argv[2:]))
"""
"""The command line that stops in the middle of a stage, or before a file that it has written takes its name."""


@pytest.mark.parametrize("moment", ["fit", "writing"])
def test_ctrl_c_in_the_main_job_leaves_nothing(tmp_path, moment):
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[16:48, 16:48] = (200, 80, 40, 255)
    Image.fromarray(pixels).save(tmp_path / "toy.png")
    out = tmp_path / "out"
    out.mkdir()
    line = [sys.executable, "-c", PAUSED, moment, "--image", tmp_path / "toy.png", "--model", "inflated"]
    line += ["--out", out / "toy.glb", "--preset", "fast", "--texture-size", "64", "--faces", "300", "--quiet"]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "in the middle\n"
    assert len(list(out.iterdir())) == (moment == "writing")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and list(out.iterdir()) == []
    assert said.count("\n") == 1, said


def test_a_batch_listens_to_nobody_and_names_in_it_are_only_text(tmp_path, monkeypatch):
    """A list with markup, formulas and escapes: the page and the table show them as text."""
    from zero123pp.pipelines.batch.contact import write_contact_sheets
    from zero123pp.pipelines.batch.index import COLUMNS, write_index
    from zero123pp.pipelines.batch.items import Shard

    evil = "<script>alert(1)</script>\"' =cmd|calc"
    row = dict.fromkeys(COLUMNS) | {"row": 0, "source": evil, "status": "failed", "reason": "=1+1", "model": "m"}
    done = dict.fromkeys(COLUMNS) | {
        "row": 1,
        "source": "@" + evil,
        "status": "done",
        "glb": 'ab/"><b>.glb',
        "key": "k",
    }
    write_index([row, done], tmp_path, Shard())
    (page,) = write_contact_sheets([row, done], tmp_path, Shard(), lambda key: True)
    text = page.read_text()
    assert "<script" not in text and "<b>" not in text and "default-src 'none'" in text
    table = (tmp_path / "index.csv").read_text()
    assert ",'=1+1" in table and "'@<script" in table


CLUSTER = """
import sys
from zero123pp.pipelines.batch.job import BatchSettings
from zero123pp.pipelines.batch.process import Limits
from zero123pp.pipelines.batch.ray_engine import RayEngine
engine = RayEngine(BatchSettings(sys.argv[1]), Limits(), 1)
import ray
print(ray.get_runtime_context().gcs_address, engine._ray.get(engine._actors[0].handle.node.remote()), flush=True)
sys.stdin.readline()
engine.close()
"""

STRANGER = """
import sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False)
except Exception as error:
    print("refused", type(error).__name__)
else:
    print("let in", ray.get(ray.remote(lambda: 1).remote()))
"""


@pytest.mark.slow
def test_a_cluster_that_is_started_here_talks_only_to_its_starter(tmp_path):
    """Ray listens on all interfaces; without the random token of the run nobody can make it do anything."""
    pytest.importorskip("ray", reason="ray is not installed; pip install 'zero123pp[ray]'")
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    line = [sys.executable, "-c", CLUSTER, str(tmp_path / "out")]
    process = subprocess.Popen(line, cwd=ROOT, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        address, node = process.stdout.readline().split()
        assert node  # the starter itself is served
        for token in (None, "0" * 64):
            more = {} if token is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
            line = [sys.executable, "-c", STRANGER, address]
            done = subprocess.run(line, env=own | more, capture_output=True, text=True, timeout=100)
            assert done.stdout.startswith("refused"), done.stdout + done.stderr[-500:]
        with pytest.raises(OSError):  # the dashboard's port
            socket.create_connection(("127.0.0.1", 8265), 1).close()
    finally:
        process.communicate("\n", timeout=60)


def test_the_licence_travels_with_the_asset():
    view = np.zeros((64, 64, 4), np.uint8)
    view[16:48, 16:48] = (200, 80, 40, 255)
    small = ["fit.steps=8", "fit.levels=[32]", "clean.faces=200", "texture.size=64", "cutout.size_px=64"]
    asset = ImageTo3D.from_pretrained("inflated", overrides=small)(view)
    assert asset.extras["licence"] == asset.report["licence"] == "Apache-2.0"
    from zero123pp.pipelines.models.licences import licence_of

    assert "no commercial use" in licence_of("sudo-ai/zero123plus-v1.2")


def test_damaged_pictures_of_every_kind_are_one_kind_of_error():
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(buffer, kind)
        from zero123pp.pipelines.batch.make import decode

        with pytest.raises(BadInput, match=r"^cut\.png"):
            decode(buffer.getvalue()[: len(buffer.getvalue()) // 3], "cut.png")


@pytest.mark.quick
def test_every_test_that_security_names_is_there():
    named = re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)?(?:::(test_\w+))?`", (ROOT / "SECURITY.md").read_text())
    file, found = None, 0
    for path, test in (each for each in named if any(each)):
        if path:
            (file,) = [each for each in (ROOT / "tests").rglob("*.py") if str(each).endswith(f"/{path}")]
        assert not test or f"def {test}(" in file.read_text(), f"{path}::{test}"
        found += 1
    assert found > 30
