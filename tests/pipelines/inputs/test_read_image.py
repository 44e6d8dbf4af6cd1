"""Every kind of picture file, good and hostile."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps

from zero123pp.errors import BadInput
from zero123pp.pipelines.inputs.read_image import read_image

pytestmark = pytest.mark.quick


def gradient(height: int = 40, width: int = 60) -> np.ndarray:
    """Smooth colours (height, width, 3) without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + 2 * y) % 200], axis=-1).astype(np.uint8)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_bomb(path: Path, side: int) -> None:
    """A PNG of side x side black pixels in a few kB."""
    squeezer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(squeezer.compress(row) for _ in range(side)) + squeezer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
def test_lossless_formats_come_back_exactly(tmp_path, suffix):
    pixels = gradient()
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}"), pixels)


@pytest.mark.parametrize(("suffix", "options"), [("jpg", {"quality": 95}), ("webp", {"quality": 95})])
def test_lossy_formats_come_back_closely(tmp_path, suffix, options):
    pixels = gradient()[..., :1].repeat(3, -1)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", **options)
    assert np.abs(read_image(str(tmp_path / f"a.{suffix}")).astype(int) - pixels).max() <= 8


def test_alpha_is_kept_only_when_it_says_something(tmp_path):
    rgba = np.dstack([gradient(), np.full((40, 60), 255, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "opaque.png")
    assert read_image(tmp_path / "opaque.png").shape == (40, 60, 3)
    rgba[3, 4, 3] = 254
    Image.fromarray(rgba).save(tmp_path / "soft.png")
    assert np.array_equal(read_image(tmp_path / "soft.png"), rgba)


def test_arrays_and_pil_images_are_read_like_files(tmp_path):
    pixels = gradient()
    assert np.array_equal(read_image(pixels), pixels)
    assert np.array_equal(read_image(Image.fromarray(pixels)), pixels)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((40, 60), np.uint8),
        np.zeros((40, 60, 2), np.uint8),
        np.zeros((40, 60, 3)),
        np.zeros((3, 40, 60), np.uint8),
        np.zeros((1, 40, 60, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused_with_their_shape(array):
    with pytest.raises(BadInput, match=r"expected \(H, W, 3 or 4\) uint8"):
        read_image(array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_come_back_upright(tmp_path, orientation):
    pixels = gradient()
    upright = Image.fromarray(pixels)
    # What a camera stores for each orientation tag: the inverse of what a viewer must do (TIFF 6.0, tag 274).
    stored = {
        1: lambda im: im,
        2: ImageOps.mirror,
        3: lambda im: im.rotate(180),
        4: ImageOps.flip,
        5: lambda im: ImageOps.mirror(im.rotate(-90, expand=True)),
        6: lambda im: im.rotate(90, expand=True),
        7: lambda im: ImageOps.mirror(im.rotate(90, expand=True)),
        8: lambda im: im.rotate(-90, expand=True),
    }[orientation](upright)
    exif = Image.Exif()
    exif[274] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels)


def test_16_bit_gray_is_scaled_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    got = read_image(tmp_path / "a.png")
    assert got.shape == (64, 64, 3)
    assert got.mean() == pytest.approx(values.mean() / 257, abs=0.5)
    assert np.abs(got[..., 0] - values / 257).max() <= 0.5 + 1e-9


def test_dark_16_bit_gray_stays_dark(tmp_path):
    Image.fromarray(np.full((32, 32), 2570, np.uint16)).save(tmp_path / "a.tiff")
    assert (read_image(tmp_path / "a.tiff") == 10).all()


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_float_pictures_are_scaled_by_their_range(tmp_path, top):
    values = (np.linspace(0, 1, 32 * 32).reshape(32, 32) * top).astype(np.float32)
    values[0, 0] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tiff")
    got = read_image(tmp_path / "a.tiff")
    assert abs(got.mean() - 127.5) < 1 and got[0, 0, 0] == 0


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    got = read_image(tmp_path / "a.jpg")
    assert got.shape == (32, 32, 3) and (np.abs(got.astype(int) - [255, 0, 0]) < 8).all()


def test_gray_with_alpha(tmp_path):
    la = np.dstack([gradient()[..., 0], gradient()[..., 1]])
    Image.fromarray(la, "LA").save(tmp_path / "a.png")
    got = read_image(tmp_path / "a.png")
    assert np.array_equal(got[..., :3], np.repeat(la[..., :1], 3, -1)) and np.array_equal(got[..., 3], la[..., 1])


def test_palette_with_and_without_transparency(tmp_path):
    picture = Image.fromarray(gradient()).quantize(8)
    picture.save(tmp_path / "p.png")
    assert np.array_equal(read_image(tmp_path / "p.png"), np.asarray(picture.convert("RGB")))
    picture.save(tmp_path / "t.png", transparency=3)
    got = read_image(tmp_path / "t.png")
    assert np.array_equal(got[..., 3] == 0, np.asarray(picture) == 3)


def test_one_bit_and_gray(tmp_path):
    bits = np.asarray(gradient()[..., 0] > 100)
    Image.fromarray(bits).save(tmp_path / "b.png")
    assert np.array_equal(read_image(tmp_path / "b.png")[..., 1], bits * np.uint8(255))
    Image.fromarray(gradient()[..., 0]).save(tmp_path / "l.png")
    assert np.array_equal(read_image(tmp_path / "l.png")[..., 2], gradient()[..., 0])


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_first_frame_of_an_animation(tmp_path, suffix):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=100, **options)
    assert (read_image(tmp_path / f"a.{suffix}") == [255, 0, 0]).all()


def test_colour_profile_is_converted(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    assert lab is not None  # LittleCMS is there
    broken = io.BytesIO()
    Image.fromarray(gradient()).save(broken, "PNG", icc_profile=b"no profile at all")
    (tmp_path / "broken.png").write_bytes(broken.getvalue())
    assert np.array_equal(read_image(tmp_path / "broken.png"), gradient())
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(gradient()).save(tmp_path / "srgb.png", icc_profile=srgb)
    assert np.array_equal(read_image(tmp_path / "srgb.png"), gradient())
    Image.fromarray(gradient()).save(tmp_path / "swapped.png", icc_profile=profile_with_red_and_blue_swapped(srgb))
    # LittleCMS sees the swapped primaries and puts them back.
    assert np.abs(read_image(tmp_path / "swapped.png").astype(int) - gradient()[..., ::-1]).max() <= 2


def profile_with_red_and_blue_swapped(srgb: bytes) -> bytes:
    """The sRGB profile under another name, with the tags of its red and blue primaries exchanged."""
    swapped = srgb.replace(b"rXYZ", b"tmpX").replace(b"bXYZ", b"rXYZ").replace(b"tmpX", b"bXYZ")
    return swapped.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB built", b"swap built")


def refused(source) -> str:
    with pytest.raises(BadInput) as caught:
        read_image(source)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    return message


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "noise.png").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(500))
    assert "looks like text" in refused(tmp_path / "text.png")
    assert "is empty" in refused(tmp_path / "empty.png")
    assert "not a picture" in refused(tmp_path / "noise.png")
    assert "HEIC" in refused(tmp_path / "phone.heic")
    assert "is a folder" in refused(tmp_path)
    assert "there is no picture" in refused(tmp_path / "missing.png")
    assert "download it first" in refused("https://example.com/a.png")
    assert "NUL" in refused("a\0.png")
    assert "there is no picture" in refused("two\nlines.png")
    assert "not a regular file" in refused("/dev/zero")
    assert "NoneType" in refused(None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(gradient()).save(path)
    path.chmod(0)
    assert "cannot read" in refused(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "tiff"])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_truncated_files(tmp_path, suffix, share):
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole.{suffix}")
    data = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: int(len(data) * share)])
    assert "cut." in refused(tmp_path / f"cut.{suffix}")


@pytest.mark.parametrize(("size", "words"), [((1, 1), "1x1 px"), ((20000, 2), "20000x2 px"), ((400, 16), "narrower")])
def test_useless_sizes(tmp_path, size, words):
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert words in refused(tmp_path / "a.png")
    assert words in refused(Image.new("RGB", size))
    assert words in refused(np.zeros((size[1], size[0], 3), np.uint8))


@pytest.mark.parametrize("side", [8100, 13304, 20000])  # 66, 177 and 400 megapixels
def test_bombs_are_refused_without_decoding(tmp_path, monkeypatch, side):
    def load(*_: object) -> None:
        raise AssertionError("a bomb was decoded")

    write_bomb(tmp_path / "bomb.png", side)
    assert (tmp_path / "bomb.png").stat().st_size < 60_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert "megapixels" in refused(tmp_path / "bomb.png")


def test_oversized_files_are_refused_unread(tmp_path):
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(60 * 2**20)
    assert "at most 50 MB" in refused(tmp_path / "huge.png")


@settings(max_examples=150, deadline=None)
@given(
    position=st.integers(0, 10_000), value=st.integers(0, 255), suffix=st.sampled_from(["png", "jpg", "webp", "gif"])
)
def test_any_changed_byte_gives_a_picture_or_bad_input(position, value, suffix):
    buffer = io.BytesIO()
    kind = {"jpg": "JPEG"}.get(suffix, suffix.upper())
    Image.fromarray(gradient()).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    data[position % len(data)] = value
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"zero123pp-fuzz-{os.getpid()}.{suffix}"
    try:
        path.write_bytes(data)
        got = read_image(path)
        assert got.dtype == np.uint8 and got.ndim == 3 and got.shape[2] in (3, 4)
    except BadInput as error:
        assert "\n" not in str(error)
    finally:
        path.unlink(missing_ok=True)
