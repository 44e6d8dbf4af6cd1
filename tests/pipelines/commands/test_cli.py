"""The command line: fast help, and one clear line with exit code 2 for whatever cannot be used."""

import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from PIL import Image

from zero123pp.pipelines.commands.cli import main

GOLDEN_MODEL = ROOT / "tests" / "golden" / "models" / "tiny-zero123plus"


def _picture(path, size=(64, 64), alpha=255):
    pixels = np.full((size[1], size[0], 4), (200, 80, 40, alpha), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def _bomb(path, side=13_300):
    """A PNG of 177 megapixels in a few kilobytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes(side // 8 + 1)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def _refused(capsys, *arguments):
    """Run the command; returns its one line after checking what every refusal has in common."""
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as left:
        code = left.code
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and "Traceback" not in err, err
    return err


def _text(folder):
    path = folder / "text.png"
    path.write_text("this is no picture\n" * 10)
    return path


def _truncated(folder):
    path = _picture(folder / "cut.png", (300, 300))
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    return path


BAD_PICTURES = {
    "text named png": (_text, "text.png"),
    "truncated": (_truncated, "cut.png"),
    "one pixel": (lambda f: _picture(f / "dot.png", (1, 1)), "1x1"),
    "transparent": (lambda f: _picture(f / "clear.png", alpha=0), "transparent"),
    "very long": (lambda f: _picture(f / "long.png", (20000, 2)), "20000x2"),
    "bomb": (lambda f: _bomb(f / "bomb.png"), "13300x13300"),
    "missing": (lambda f: f / "missing.png", "missing.png"),
    "folder": (lambda f: f, "folder"),
}


@pytest.mark.quick
@pytest.mark.parametrize("case", BAD_PICTURES)
def test_bad_pictures(case, tmp_path, capsys):
    make, named = BAD_PICTURES[case]
    line = _refused(capsys, "--image", make(tmp_path), "--out", tmp_path / "out.glb", "--model", "preview")
    assert named in line
    assert not list(tmp_path.glob("*.glb*")) and not list(tmp_path.glob(".*"))


@pytest.mark.quick
def test_bad_usage(tmp_path, capsys):
    picture, out = _picture(tmp_path / "toy.png"), tmp_path / "toy.glb"
    good = ["--image", picture, "--out", out]
    assert "neither" in _refused(capsys, "--out", out)
    assert "both" in _refused(capsys, *good, "--views", picture)
    assert "--out is missing" in _refused(capsys, "--prompt", "a robot")
    assert ".xyz" in _refused(capsys, "--image", picture, "--out", tmp_path / "toy.xyz")
    assert "nowhere" in _refused(capsys, "--image", picture, "--out", tmp_path / "nowhere" / "toy.glb")
    assert "toy.png" in _refused(capsys, "--image", picture, "--out", picture / "toy.glb")
    assert "did you mean fit.steps" in _refused(capsys, *good, "--set", "fit.stesp=3")
    assert "fit.steps" in _refused(capsys, *good, "--set", "fit.steps=many")
    assert "unknown preset" in _refused(capsys, *good, "--preset", "slow")
    assert "unknown device 'tpu'" in _refused(capsys, *good, "--device", "tpu")
    assert "--rig belongs to --views" in _refused(capsys, *good, "--rig", "v1.1")
    for idle in (["--steps", "5"], ["--guidance", "3"], ["--model", "preview"], ["--prompt", "a robot"]):
        line = _refused(capsys, "--views", picture, "--out", out, *idle)
        assert idle[0] in line and "--views" in line
    assert "--image is empty" in _refused(capsys, "--image", "", "--out", out)
    assert "--steps: '0' is not a whole number from 1" in _refused(capsys, *good, "--steps", "0")
    assert "--steps: '' is not a whole number" in _refused(capsys, "eval", "views", "--steps", "")
    assert "--guidance: 'nan' is not a number" in _refused(capsys, *good, "--guidance", "nan")
    assert "--depth-scale belongs to --depth, --depth-from or" in _refused(capsys, *good, "--depth-scale", "1")
    assert "--unet-background belongs to --unet" in _refused(capsys, *good, "--unet-background", "white")
    assert "--no-such-flag" in _refused(capsys, *good, "--no-such-flag")
    assert "--seed" in _refused(capsys, *good, "--seed", "x")
    for flag, value in (("--faces", "3"), ("--faces", "-1"), ("--texture-size", "7"), ("--texture-size", "x")):
        line = _refused(capsys, *good, flag, value)
        assert f"error: {flag}: " in line and value in line and "clean" not in line and "texture." not in line
    assert "--set clean.faces=3: clean.faces is 3" in _refused(capsys, *good, "--set", "clean.faces=3")
    assert "padding" in _refused(capsys, *good, "--texture-size", "16")  # with the preset's padding
    for flag in ("--seed", "--size"):
        assert flag in _refused(capsys, *good, flag, "-1")
    assert "--size is inf" in _refused(capsys, *good, "--size", "inf")
    assert "did you mean fast?" in _refused(capsys, *good, "--preset", "fsat")
    assert "did you mean --faces?" in _refused(capsys, *good, "--fases", "300")
    assert "is a file" in _refused(capsys, *good, "--save-stages", picture)
    assert "is a file" in _refused(capsys, *good, "--save-stages", picture / "stages")
    assert not out.exists()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "no/x.png"), "error: 'no/x.png': Permission denied"),
        (OSError(36, "File name too long", 300 * "a"), "File name too long"),
        (OSError("the tape is torn"), "error: the tape is torn"),
    ],
)
def test_what_the_system_refuses_is_one_line(monkeypatch, capsys, error, line):
    from zero123pp.pipelines.commands import cli

    def refuses(args):
        raise error

    monkeypatch.setattr(cli, "_image_to_mesh", refuses)
    assert line in _refused(capsys, "toy.png")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("bacth --images x", "did you mean batch?"),
        ("evla recon", "did you mean eval recon?"),
        ("eval recn --meshes x", "'eval recn' is no subcommand; did you mean eval recon?"),
        ("eval --help", "'eval' is no subcommand; there are eval recon, eval views"),
        ("zzz", "'zzz' is neither a subcommand nor a file; --help lists"),
        ("batch --imgaes x --out y", "did you mean --images?"),
    ],
)
def test_a_slip_gets_the_right_word(words, meant, capsys):
    assert meant in _refused(capsys, *words.split())


@pytest.mark.quick
def test_no_words_at_all_get_three_examples(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.count(f"  {Path(sys.argv[0]).name} ") == 3, out
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0 and capsys.readouterr().out.startswith("zero123pp 0.")


def test_bad_sheets(tmp_path, capsys):
    wide, sheet = _picture(tmp_path / "wide.png", (640, 640)), _picture(tmp_path / "sheet.png", (128, 192))
    out = tmp_path / "out.glb"
    assert "640x640" in _refused(capsys, "--views", wide, "--out", out)
    assert "unknown rig 'v9'" in _refused(capsys, "--views", sheet, "--rig", "v9", "--out", out)
    assert "same size" in _refused(capsys, "--views", sheet, "--normals", wide, "--out", out)
    assert not out.exists()


class _Planted:
    """Pickles to a call that writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_bad_checkpoints(tmp_path, capsys):
    pytest.importorskip("diffusers")
    good = ["--image", _picture(tmp_path / "toy.png"), "--out", tmp_path / "toy.glb", "--model"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty" in _refused(capsys, *good, empty)

    hidden, ran = tmp_path / "hidden", tmp_path / "ran.txt"
    shutil.copytree(GOLDEN_MODEL, hidden)
    (hidden / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with open(hidden / "unet" / "diffusion_pytorch_model.bin", "wb") as file:
        pickle.dump({"conv_in.weight": _Planted(ran)}, file)
    assert "diffusion_pytorch_model.bin" in _refused(capsys, *good, hidden)
    assert not ran.exists()
    assert not (tmp_path / "toy.glb").exists()


@pytest.mark.quick
def test_help_is_whole_and_loads_nothing():
    done = subprocess.run([sys.executable, ROOT / "run.py", "--help"], capture_output=True, text=True, check=True)
    assert "CC-BY-NC" in done.stdout and "--texture-size" in done.stdout
    assert done.stdout.index("subcommands:") < done.stdout.index("\n  batch ") < done.stdout.index("options:") < 3000
    loaded = "import sys, zero123pp.pipelines.commands.cli; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", "the command line must not load numpy before it knows what to do"
