"""Pictures of the mesh to look at: four views and turntables, which never replace what is not ours."""

import os

import numpy as np
import pytest
from disk import small_files
from PIL import Image, ImageSequence
from shapes import icosphere

from zero123pp.errors import BadInput, MissingBackend
from zero123pp.recon.export import show, write_preview, write_turntable
from zero123pp.types import TexturedMesh

pytestmark = pytest.mark.quick


@pytest.fixture
def ball(monkeypatch):
    """Red where x > 0 and blue elsewhere, drawn small."""
    monkeypatch.setattr(show, "_PREVIEW_PX", 48)
    monkeypatch.setattr(show, "_TURNTABLE_PX", 48)
    shape = icosphere(3)
    texture = np.zeros((4, 64, 3), np.uint8)
    texture[:, :32, 2] = texture[:, 32:, 0] = 255
    uvs = np.stack([np.clip(shape.vertices[:, 0] + 0.5, 0.01, 0.99), np.full(len(shape.vertices), 0.5)], 1)
    return TexturedMesh(shape, uvs, texture)


def test_a_preview_shows_front_right_back_and_left(tmp_path, ball):
    write_preview(ball, tmp_path / "a.png")
    write_preview(ball, tmp_path / "a.png")  # our own is replaced
    strip = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    assert strip.shape == (48, 192, 3) and strip[0, 0].tolist() == [240, 240, 240]
    middle = [strip[24, 48 * i + 24] for i in range(4)]
    assert middle[1].tolist() == [255, 0, 0] and middle[3].tolist() == [0, 0, 255]  # what is at +x is seen from there
    assert strip[24, 34].tolist() == [255, 0, 0] and strip[24, 96 + 14].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_a_turntable_turns_once(tmp_path, ball, suffix):
    seen = []
    write_turntable(ball, tmp_path / f"a{suffix}", seen.append)
    write_turntable(ball, tmp_path / f"a{suffix}")  # our own is replaced
    frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(
        Image.open(tmp_path / f"a{suffix}"))]  # fmt: skip
    assert len(frames) == 36 and seen[-1] == 1 and seen == sorted(seen)
    assert frames[9][24, 24, 0] > 200 > 60 > frames[9][24, 24, 2]
    assert frames[27][24, 24, 2] > 200 > 60 > frames[27][24, 24, 0]


@pytest.mark.parametrize(("write", "name"), [(write_preview, "a.png"), (write_turntable, "a.webp")])
def test_files_of_others_stay_and_a_full_disk_leaves_nothing(tmp_path, ball, write, name):
    with small_files(100), pytest.raises(BadInput, match="cannot write"):
        write(ball, tmp_path / name)
    assert not os.listdir(tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(BadInput, match="was not written by this program"):
        write(ball, tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    with pytest.raises(BadInput, match=r"unknown suffix '\.bmp'"):
        write(ball, tmp_path / "a.bmp")


def test_a_film_needs_its_library(tmp_path, ball, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingBackend, match=r"zero123pp\[film\]"):
        write_turntable(ball, tmp_path / "a.mp4")
    assert not os.listdir(tmp_path)
