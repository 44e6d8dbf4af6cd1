"""Pictures of objects with their alpha."""

import argparse

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("trimesh")
pytest.importorskip("manifold3d")

from balls_and_boxes import stored
from render_files import write_hdr


def rendered(tmp_path, *words):
    from zero123pp.pipelines.commands.render_objects import add_arguments, run

    (tmp_path / "maps").mkdir(exist_ok=True)
    write_hdr(tmp_path / "maps" / "sky.hdr", np.full((8, 16, 3), 0.5, np.float32))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    places = {"solids": "solids", "panoramas": "maps", "out": "out"}
    given = [word for flag, place in places.items() for word in (f"--{flag}", str(tmp_path / place))]
    assert run(parser.parse_args([*given, "--size-px", "64", *words])) == 0
    return sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.png"))


def test_objects_of_both_kinds_are_rendered_with_their_alpha(tmp_path):
    store = stored(tmp_path / "solids", count=2)
    files = rendered(tmp_path, "--generated", "1")
    boxes = [f"kit/{name}_0.png" for name in store.classes()["kit"]]
    assert [str(file) for file in files] == sorted(
        ["generated/generated0_0.png", *(f"generated/generated0_{number}.png" for number in (1, 2)), *boxes]
    )
    for file in files:
        with Image.open(tmp_path / "out" / file) as picture:
            assert picture.mode == "RGBA"
            alpha = np.asarray(picture)[..., 3]
        # Cut to the object: it touches all four sides.
        assert all(side.any() for side in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))


def test_a_picture_hangs_on_its_name_alone_and_is_kept(tmp_path):
    stored(tmp_path / "solids", count=2)
    files = [tmp_path / "out" / file for file in rendered(tmp_path, "--generated", "0", "--pictures", "2")]
    before = [file.read_bytes() for file in files]
    assert len(set(before)) == len(before) == 4
    files[1].unlink()
    files[2].write_bytes(b"kept")
    rendered(tmp_path, "--generated", "0", "--pictures", "2")
    assert [file.read_bytes() for file in files] == [*before[:2], b"kept", before[3]]


def test_rare_classes_get_more_pictures():
    from zero123pp.pipelines.training_data import picture_counts

    counts = picture_counts({"many": ["a"] * 1600, "some": ["a"] * 100, "few": ["a"]}, 1)
    assert counts == {"many": 1, "some": 4, "few": 6}
