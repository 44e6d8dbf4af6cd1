"""Pictures of phones: read where the plug-in is, told of where it is not."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs import heif, read_image
from zero123pp.pipelines.inputs.pictures import find_pictures, passed_over, pictures_under

EMPTY = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


@pytest.fixture
def without_plugin(monkeypatch):
    monkeypatch.setattr(heif, "can_read", lambda: False)
    monkeypatch.setattr(heif, "formats", lambda: ())


def test_a_picture_of_a_phone_is_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32] = (200, 40, 30)
    path = tmp_path / "IMG_0001.HEIC"
    try:
        Image.fromarray(pixels).save(path, "HEIF", quality=95)
    except (OSError, RuntimeError) as error:
        pytest.skip(f"this build of pillow-heif cannot write: {error}")
    found = read_image(path)
    assert found.shape == (48, 64, 3) and np.abs(found.astype(int) - pixels).mean() < 4
    assert pictures_under(tmp_path) == ["IMG_0001.HEIC"] and passed_over(["IMG_0001.HEIC"]) == ""
    file = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(file, "HEIF", quality=1)
    size, bomb = b"ispe" + struct.pack(">III", 0, 64, 64), b"ispe" + struct.pack(">III", 0, 9000, 9000)
    assert file.getvalue().count(size) == 1  # what it says of itself, which is read before anything is decoded
    (tmp_path / "bomb.heic").write_bytes(file.getvalue().replace(size, bomb))
    with pytest.raises(BadInput, match="81 megapixels"):
        read_image(tmp_path / "bomb.heic")


@pytest.mark.quick
def test_without_the_plugin_it_is_named(tmp_path, without_plugin):
    (tmp_path / "IMG_0001.HEIC").write_bytes(EMPTY)
    with pytest.raises(BadInput, match=r"HEIC data, of the kind that phones take; pip install 'zero123pp\[heic\]'"):
        read_image(tmp_path / "IMG_0001.HEIC")
    with pytest.raises(BadInput, match=r"no pictures .*1 picture is passed over: IMG_0001.HEIC; pip install"):
        find_pictures([tmp_path])
    names = [*(f"{n}.HEIC" for n in range(4)), "a.png", "notes.txt", ".hidden.heic"]
    assert passed_over(names).startswith("4 pictures are passed over: 0.HEIC, 1.HEIC, 2.HEIC and 1 more; pip install")
    assert passed_over(["x/raw.DNG"]) == "1 picture is passed over: x/raw.DNG; save them as PNG or JPEG"
    assert passed_over(["a.png"]) == ""


def test_damaged_ones_are_one_kind_of_error(tmp_path):
    (tmp_path / "a.heic").write_bytes(EMPTY)
    with pytest.raises(BadInput, match="it is HEIC data"):
        read_image(tmp_path / "a.heic")
