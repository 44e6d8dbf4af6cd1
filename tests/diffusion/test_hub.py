"""Downloads from a hub that redirects, breaks off, lies, wants a token, is busy or is not there."""

import os
import random
import subprocess
import sys
import time

import pytest
from hub_server import Hub, serving
from paths import ROOT

from zero123pp.diffusion import hub

pytest.importorskip("huggingface_hub")

COMMITS = ("0123456789abcdef0123456789abcdef01234567", "89abcdef0123456789abcdef0123456789abcdef")

LOAD = """
import json, sys
from zero123pp.diffusion import hub
from zero123pp.errors import Zero123ppError
from zero123pp.pipelines.models import licences

for revision in sys.argv[2:] or [None]:
    try:
        print("folder", hub.find_checkpoint(sys.argv[1], hub.PIPELINE, revision=revision or None,
                                            on_download=licences.announce))
    except Zero123ppError as error:
        print(type(error).__name__, error)
"""


def checkpoint(seed, weights=200_000):
    """Files of the names that a checkpoint has, and no more in them than a download needs."""
    chance, files = random.Random(seed), {name: f'{{"{name}": {seed}}}'.encode() for name in hub._CONFIGS}
    files |= {"tokenizer/vocab.json": b"{}", "tokenizer/merges.txt": b"", "pipeline.py": b"raise SystemExit"}
    return files | {f"{part}/{names[0]}": chance.randbytes(weights) for part, names in hub.WEIGHTS.items()}


UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def own():
    found = Hub({COMMITS[0]: checkpoint(0)}, {"main": COMMITS[0]}, {"license": "cc-by-nc-4.0"})
    with serving(found):
        yield found


@pytest.fixture
def find(own, tmp_path):
    """``find(*revisions, **environment)``: what a new process says, one line each, and its standard error."""

    def run(*revisions, model="own/toy", **environment):
        settings = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": own.url, "HF_HUB_DISABLE_XET": "1"}
        settings |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(ROOT)} | environment
        done = subprocess.run(
            [sys.executable, "-c", LOAD, model, *revisions],
            env={name: value for name, value in os.environ.items() if not name.startswith("HF_")} | settings,
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout.splitlines(), done.stderr

    return run


def content(line):
    """The files of a folder that was found, without code."""
    from pathlib import Path

    kind, _, folder = line.partition(" ")
    assert kind == "folder", line
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_redirected_files_arrive_and_the_licence_is_said_once(own, find):
    own.token = "secret"
    (line,), said = find(HF_TOKEN="secret")
    assert content(line) == {name: data for name, data in checkpoint(0).items() if name != "pipeline.py"}
    assert said.count("downloading own/toy from the Hugging Face hub; licence: cc-by-nc-4.0") == 1
    large = [headers for _, path, headers in own.asked if path.startswith("/cdn/")]
    assert len(large) >= 4 and not any("Authorization" in headers for headers in large)  # the token stays with the hub
    asked = len(own.asked)
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        assert find(**environment) == ([line], "")
    assert len(own.asked) == asked


def test_a_download_that_breaks_off_goes_on_where_it_was(own, find):
    own.commits[COMMITS[0]][UNET], own.cut = random.Random(3).randbytes(25_000_000), 1
    (line,), _ = find()
    assert content(line)[UNET] == own.commits[COMMITS[0]][UNET]
    ranges = [headers["Range"] for _, path, headers in own.asked if path.startswith("/cdn/") and "Range" in headers]
    assert ranges == ["bytes=10485760-"]  # the library keeps parts of 10 MiB


def test_a_killed_download_is_no_checkpoint_and_is_finished_later(own, find, tmp_path):
    own.commits[COMMITS[0]] = checkpoint(0, 3_000_000)
    code = f"import sys; sys.argv[1:] = ['own/toy']\n{LOAD}"
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": own.url, "PYTHONPATH": str(ROOT)}
    environment |= {"HF_HUB_DISABLE_XET": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not own.paths("/cdn/"):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    (line,), _ = find(HF_HUB_OFFLINE="1")
    assert line.startswith("MissingBackend")
    (line,), _ = find()
    assert content(line)[UNET] == own.commits[COMMITS[0]][UNET]


@pytest.mark.parametrize("name", [UNET, "unet/config.json"])
def test_a_file_of_another_checksum_is_refused_and_fetched_again(own, find, name):
    own.spoil = {name}
    (line,), _ = find()
    assert line.startswith("BadInput") and f"{name} of the hub's model 'own/toy' arrived damaged" in line
    (line,), _ = find(HF_HUB_OFFLINE="1")
    assert line.startswith("MissingBackend")  # what is left is not taken for a checkpoint
    own.spoil = set()
    (line,), _ = find()
    assert content(line)[name] == checkpoint(0)[name]


def test_a_pinned_revision_stays_and_a_cached_one_does_not_follow(own, find):
    own.commits[COMMITS[1]] = checkpoint(1)
    first, tagged = find("", COMMITS[1])[0]
    assert content(first) != content(tagged) and COMMITS[0] in first and COMMITS[1] in tagged
    own.branches["main"] = COMMITS[1]
    assert find("", COMMITS[0], COMMITS[1])[0] == [first, first, tagged]  # cached: the hub is not asked
    (line,), _ = find("v9")
    assert line.startswith("BadInput") and "at revision 'v9'" in line
    own.branches["v2"] = COMMITS[1]
    assert find("v2")[0] == [tagged]


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (
            {"token": "secret"},
            "BadInput",
            "without a token; accept its terms on its page and set HF_TOKEN",
        ),
        ({"busy": 10**6}, "MissingBackend", "asks to be asked less often (429): wait some minutes"),
    ],
    ids=["401", "429"],
)
def test_troubles_are_one_clear_line(own, find, trouble, kind, words):
    for name, value in trouble.items():
        setattr(own, name, value)
    (line,), _ = find()
    assert line.startswith(f"{kind} ") and "own/toy" in line and words in line, line
    (line,), _ = find(HF_HUB_OFFLINE="1")
    assert line.startswith("MissingBackend")


def test_the_command_asks_before_it_downloads(own, tmp_path):
    """Without --download nothing is fetched; with it the licence is said before the first file."""
    from PIL import Image

    pytest.importorskip("diffusers")
    del own.commits[COMMITS[0]]["vae/config.json"]
    Image.new("RGBA", (64, 64), (200, 80, 40, 255)).save(tmp_path / "toy.png")
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": own.url, "HF_HUB_DISABLE_XET": "1"}
    line = [sys.executable, ROOT / "run.py", "--image", "toy.png", "--model", "own/toy", "--out", "toy.glb"]
    for more, words in (([], "downloads are not allowed"), (["--download"], "vae/config.json is missing in it")):
        done = subprocess.run([*line, *more], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 2 and words in done.stderr and not (tmp_path / "toy.glb").exists()
        assert done.stderr.count("licence: cc-by-nc-4.0") == len(more) and bool(own.asked) == bool(more)
