"""Radiance panoramas are read exactly, and found."""

import numpy as np
import pytest
from radiance import write_hdr

from zero123pp.errors import BadInput
from zero123pp.render.hdr import find_hdr, read_hdr


def test_radiance_files_are_read_exactly(tmp_path):
    rgbe = np.random.default_rng(1).integers(1, 255, (7, 130, 4), dtype=np.uint8)
    rgbe[2, :, 1] = 77
    write_hdr(tmp_path / "a.hdr", rgbe)
    expected = rgbe[..., :3] * 2.0 ** (rgbe[..., 3:].astype(float) - 136)
    assert np.allclose(read_hdr(tmp_path / "a.hdr"), expected, rtol=1e-6)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.hdr").write_bytes(b"P6 1 1 255\n...")
    with pytest.raises(BadInput, match="not a Radiance"):
        read_hdr(tmp_path / "a.hdr")


def test_panoramas_of_a_folder_are_sorted_and_none_is_told(tmp_path):
    for name in ("b.hdr", "a.hdr", "c.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in find_hdr(str(tmp_path))] == ["a.hdr", "b.hdr"]
    for folder in (tmp_path / "c.txt", tmp_path / "nowhere"):
        with pytest.raises(BadInput, match=r"no \.hdr environment maps"):
            find_hdr(folder)
