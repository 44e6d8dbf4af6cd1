"""Zero123++ as a named source of views: where its files come from, and the sheets it draws."""

import hashlib
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from zero123pp.diffusion import hub
from zero123pp.errors import BadInput, MissingBackend
from zero123pp.pipelines.models import zero123plus
from zero123pp.pipelines.models.zero123plus import Zero123PlusModel
from zero123pp.types import Cutout

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cutout(picture):
    rgba = np.asarray(picture)
    return Cutout(rgba[:160, :160])


@pytest.fixture
def small(tiny, tmp_path):
    """The tiny checkpoint with tiles of 64 px, rig v1.1."""
    folder = tmp_path / "small"
    shutil.copytree(tiny, folder)
    index = json.loads((folder / "model_index.json").read_text()) | {"tile_size": 64, "rig": "v1.1"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def cache_with(home: Path, repo_id: str, folder: Path, revision: str = "main") -> Path:
    """A Hugging Face home whose cache holds ``folder`` as ``repo_id``."""
    repo = home / "hub" / f"models--{repo_id.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / revision).write_text(COMMIT)
    shutil.copytree(folder, repo / "snapshots" / COMMIT)
    return repo / "snapshots" / COMMIT


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty Hugging Face home, in this process too."""
    from huggingface_hub import constants

    folder = tmp_path / "hf"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    return folder


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | environment
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def test_a_sheet(small, cutout):
    model = Zero123PlusModel.from_pretrained(small, device="cpu")
    assert (model.name, model.rig) == (str(small), "v1.1") and "publisher" in model.licence
    assert model.pipeline.scheduler.config.timestep_spacing == "trailing"
    heard = []
    sheet = model.generate_sheet(cutout, seed=3, steps=3, progress=heard.append)
    assert sheet.shape == (192, 128, 3) and sheet.dtype == np.uint8 and sheet.std() > 1
    assert heard == pytest.approx([1 / 3, 2 / 3, 1])
    np.testing.assert_array_equal(model.generate_sheet(cutout, seed=3, steps=3), sheet)
    assert (model.generate_sheet(cutout, seed=4, steps=3) != sheet).any()
    assert (model.generate_sheet(cutout, seed=3, steps=3, guidance=1.0) != sheet).any()
    views = model.generate(cutout, seed=3, steps=3)
    assert (len(views), views.rig, views.source) == (6, "v1.1", str(small))
    assert views.views[0].rgb.shape == (64, 64, 3)


def test_the_recommended_steps_and_guidance_are_the_defaults(small, cutout, monkeypatch):
    model, calls = Zero123PlusModel.from_pretrained(small, device="cpu"), []
    original = type(model.pipeline).__call__

    def spy(pipeline, image, **arguments):
        calls.append(arguments)
        return original(pipeline, image, **(arguments | {"num_inference_steps": 1}))

    monkeypatch.setattr(type(model.pipeline), "__call__", spy)
    model.generate_sheet(cutout)
    assert (calls[0]["num_inference_steps"], calls[0]["guidance_scale"]) == (28, 4.0)


def test_types_and_devices(small):
    import torch

    assert Zero123PlusModel.from_pretrained(small, "cpu", "bfloat16").pipeline.unet.dtype == torch.bfloat16
    assert Zero123PlusModel.from_pretrained(small, "cpu", torch.float16).pipeline.vae.dtype == torch.float16
    for bad in ({"dtype": "int8"}, {"device": "abacus"}):
        with pytest.raises(BadInput):
            Zero123PlusModel.from_pretrained(small, **({"device": "cpu"} | bad))
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="no CUDA device"):
            Zero123PlusModel.from_pretrained(small, device="cuda")


@pytest.mark.parametrize("name", zero123plus.OFFICIAL)
def test_official_names_come_from_the_cache_when_they_are_in_it(name, home, tiny, monkeypatch):
    monkeypatch.setattr(hub, "_download", lambda *_: pytest.fail("the network was asked"))
    assert not zero123plus.is_cached(name)
    cache_with(home, f"sudo-ai/{name}", tiny)
    assert zero123plus.is_cached(name)
    for allowed in (False, True):
        model = Zero123PlusModel.from_pretrained(name, device="cpu", allow_download=allowed)
    assert model.rig == name.removeprefix("zero123plus-")
    assert model.name == name and "CC-BY-NC 4.0" in model.licence


def test_an_incomplete_snapshot_is_not_cached(home, tiny):
    snapshot = cache_with(home, "sudo-ai/zero123plus-v1.2", tiny)
    (snapshot / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert not zero123plus.is_cached("zero123plus-v1.2")
    with pytest.raises(MissingBackend, match="not in the local Hugging Face cache"):
        Zero123PlusModel.from_pretrained("zero123plus-v1.2", device="cpu")


def test_a_revision_is_another_snapshot(home, tiny):
    cache_with(home, "own/toy", tiny, revision="v7")
    assert hub.cached_folder("own/toy", hub.PIPELINE) is None
    assert hub.cached_folder("own/toy", hub.PIPELINE, revision="v7") is not None
    assert hub.cached_folder("own/toy", hub.PIPELINE, revision=COMMIT) is not None
    with pytest.raises(MissingBackend, match="revision 'v8'"):
        hub.find_checkpoint("own/toy", hub.PIPELINE, revision="v8", local_files_only=True)


def test_is_cached_of_folders_and_nonsense(small, tmp_path, home):
    assert zero123plus.is_cached(str(small))
    assert not zero123plus.is_cached(str(tmp_path))
    for name in ("", "preview", "a/b/c", "../x", "nobody/nothing", "own/" + "x" * 200, "a--b/c..d"):
        assert not zero123plus.is_cached(name)


IS_CACHED = """
import sys
from zero123pp.pipelines.models.zero123plus import is_cached
print(is_cached("zero123plus-v1.2"))
assert not {"torch", "diffusers", "transformers"} & set(sys.modules)
"""


def test_is_cached_is_light_and_honours_hf_home(tmp_path, tiny):
    cache_with(tmp_path / "full", "sudo-ai/zero123plus-v1.2", tiny)
    for home, answer in (("full", "True"), ("empty", "False")):
        done = python(IS_CACHED, HF_HOME=str(tmp_path / home), HF_HUB_OFFLINE="1")
        assert done.stdout.strip() == answer, done.stderr


LOAD = """
import sys
from zero123pp.errors import Zero123ppError
from zero123pp.diffusion import hub
try:
    print(hub.find_checkpoint(sys.argv[1], hub.PIPELINE, revision=sys.argv[2] or None))
except Zero123ppError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_out_of_reach_is_one_clear_line(environment, tmp_path):
    done = python(LOAD, "sudo-ai/zero123plus-v1.2", "", HF_HOME=str(tmp_path), **environment)
    (line,) = done.stdout.splitlines()
    assert line.startswith("MissingBackend") and "'sudo-ai/zero123plus-v1.2'" in line and "HF_HOME" in line


class FakeHub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as a download takes: the list of files, and the files."""

    folder: Path
    asked: list

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        self.asked.append(path)
        if path.startswith("/api/models/own/toy"):
            files = {p.relative_to(self.folder).as_posix(): p for p in self.folder.rglob("*") if p.is_file()}
            if "/tree/" in path:
                tree = [{"path": n, "size": p.stat().st_size, "oid": "0" * 40} for n, p in files.items()]
                return self.reply(json.dumps([entry | {"type": "file"} for entry in tree]).encode())
            siblings = [{"rfilename": name} for name in files]
            return self.reply(json.dumps({"id": "own/toy", "sha": COMMIT, "siblings": siblings}).encode())
        prefix = f"/own/toy/resolve/{COMMIT}/"
        file = self.folder / path.removeprefix(prefix)
        if path.startswith(prefix) and file.is_file():
            return self.reply(file.read_bytes())
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def reply(self, body: bytes):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def fake_hub(tiny, tmp_path):
    class Handler(FakeHub):
        folder, asked = tmp_path / "remote", []

    shutil.copytree(tiny, Handler.folder)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Handler.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        yield Handler
        server.shutdown()


def test_a_download_takes_what_is_needed_and_no_code(fake_hub, tmp_path, tiny):
    (fake_hub.folder / "pipeline.py").write_text("raise SystemExit('code ran')")
    (fake_hub.folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (fake_hub.folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"another variant")
    (fake_hub.folder / "vae" / "diffusion_pytorch_model.safetensors").rename(
        fake_hub.folder / "vae" / "diffusion_pytorch_model.bin"
    )
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": fake_hub.endpoint, "HF_HUB_DISABLE_XET": "1"}
    done = python(LOAD, "own/toy", "", **environment)
    folder = Path(done.stdout.strip())
    assert folder.is_dir(), done.stdout + done.stderr
    got = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    want = {p.relative_to(tiny).as_posix() for p in tiny.rglob("*") if p.is_file()}
    want -= {"vae/diffusion_pytorch_model.safetensors"}
    assert got == want | {"vae/diffusion_pytorch_model.bin"}
    asked = len(fake_hub.asked)
    assert python(LOAD, "own/toy", "", **environment).stdout == done.stdout
    assert len(fake_hub.asked) == asked, "a cached model needs no network"


def test_a_name_the_hub_does_not_have(fake_hub, tmp_path):
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": fake_hub.endpoint}
    done = python(LOAD, "nobody/nothing", "", **environment)
    (line,) = done.stdout.splitlines()
    assert line.startswith("BadInput") and "'nobody/nothing'" in line


def test_a_repository_of_another_kind(fake_hub, tmp_path):
    (fake_hub.folder / "vision_encoder" / "config.json").unlink()
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": fake_hub.endpoint, "HF_HUB_DISABLE_XET": "1"}
    (line,) = python(LOAD, "own/toy", "", **environment).stdout.splitlines()
    assert line.startswith("BadInput") and "vision_encoder/config.json is missing" in line


def test_auto_is_the_fastest_type_of_the_device(monkeypatch):
    import torch

    from zero123pp.diffusion import cpu
    from zero123pp.pipelines.models.zero123plus import _dtype

    for has, want in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(cpu, "has_bfloat16", lambda has=has: has)
        assert _dtype(torch, torch.device("cpu"), "auto") == want
    assert _dtype(torch, torch.device("cuda"), "auto") == torch.float16
