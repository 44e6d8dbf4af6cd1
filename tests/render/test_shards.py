"""Shards of training samples: round trips, other readers, damage."""

import json
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image
from view_samples import assert_same, random_sample

from zero123pp.errors import BadInput
from zero123pp.render.instantmesh import write_paths, write_views
from zero123pp.render.shards import ShardFolder, index_path, open_samples, read_samples, write_shard

pytestmark = pytest.mark.quick

SAMPLES = [random_sample(f"bear-0-{n:02d}", mesh="bear") for n in range(3)] + [random_sample("cup-0-00", mesh="cup")]


@pytest.fixture
def folder(tmp_path):
    write_shard(tmp_path / "views-000000.tar", SAMPLES[:3], {"broken": "no triangles"})
    write_shard(tmp_path / "views-000001.tar", SAMPLES[3:])
    return tmp_path


def test_samples_come_back_in_order(folder):
    found = list(read_samples(folder))
    assert len(found) == len(SAMPLES)
    for a, b in zip(found, SAMPLES):
        assert_same(a, b)


def test_random_access_survives_pickling(folder):
    samples = pickle.loads(pickle.dumps(open_samples(folder)))
    assert list(samples.keys) == [sample.key for sample in SAMPLES]
    assert list(samples.meshes) == ["bear", "bear", "bear", "cup"]
    assert list(samples.groups) == ["object"] * 4
    assert_same(samples[3], SAMPLES[3])
    assert_same(samples[0], SAMPLES[0])
    with pytest.raises(IndexError):
        samples[4]


def test_depth_and_normals_can_be_left_out(folder):
    sample = open_samples(folder, depth=False, normals=False)[1]
    assert sample.depth is None and sample.normals is None
    np.testing.assert_array_equal(sample.sheet, SAMPLES[1].sheet)


def test_a_plain_tar_reader_groups_the_files_of_a_sample(folder):
    with tarfile.open(folder / "views-000000.tar") as archive:
        names = archive.getnames()
        data = archive.extractfile("bear-0-01.depth.png")
        depth = np.asarray(Image.open(data))
    assert [name.split(".")[0] for name in names] == [s.key for s in SAMPLES[:3] for _ in range(5)]
    assert depth.dtype == np.uint16
    np.testing.assert_array_equal(depth * np.float32(SAMPLES[1].meta["depth_unit"]), SAMPLES[1].depth)


def test_webdataset_reads_them(folder):
    webdataset = pytest.importorskip("webdataset")
    found = list(webdataset.WebDataset([str(folder / "views-000000.tar")], shardshuffle=False).decode("pilrgba"))
    assert [sample["__key__"] for sample in found] == [s.key for s in SAMPLES[:3]]
    np.testing.assert_array_equal(np.asarray(found[2]["views.png"]), SAMPLES[2].sheet)
    assert found[0]["json"]["mesh"] == "bear"


def test_a_shard_without_index_is_scanned(folder):
    for path in folder.glob("*.index.json"):
        path.unlink()
    samples = ShardFolder(folder)
    assert samples.meshes == ["bear", "bear", "bear", "cup"]
    assert_same(samples[2], SAMPLES[2])


def test_same_samples_same_bytes(folder, tmp_path):
    again = tmp_path / "again" / "views-000000.tar"
    write_shard(again, SAMPLES[:3], {"broken": "no triangles"})
    assert again.read_bytes() == (folder / "views-000000.tar").read_bytes()
    assert index_path(again).read_bytes() == index_path(folder / "views-000000.tar").read_bytes()


def test_nothing_is_left_of_a_shard_that_fails(tmp_path):
    def failing():
        yield SAMPLES[0]
        raise RuntimeError("out of light")

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "views-000000.tar", failing())
    assert list(tmp_path.iterdir()) == []


# With its index a shard needs no headers: only the bytes of the samples count.
@pytest.mark.parametrize(("damage", "indexed"), [("cut", 1), ("pixels", 1), ("cut", 0), ("pixels", 0), ("header", 0)])
def test_damage_is_one_clear_line(folder, damage, indexed):
    tar = folder / "views-000000.tar"
    data = bytearray(tar.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "header":
        data[:512] = b"\xff" * 512
    else:
        data[512 + 60 : 512 + 90] = b"\0" * 30  # inside the first picture
    tar.write_bytes(data)
    if not indexed:
        index_path(tar).unlink()
    with pytest.raises(BadInput) as caught:
        list(read_samples(folder))
    assert "\n" not in str(caught.value) and "views-000000" in str(caught.value)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"samples": {"a": {"files": {"json": [0, 10]}}}, "bytes": SIZE}',
        '{"samples": {"a": {"files": {"json": [-5, 10]}, "mesh": "a"}}, "bytes": SIZE}',
        '{"samples": {"a": {"files": {"json": [0, 1e18]}, "mesh": "a"}}, "bytes": SIZE}',
        '{"samples": {"a": {"files": {"json": "x"}, "mesh": "a"}}, "bytes": SIZE}',
    ],
)
def test_hostile_indices(folder, index):
    tar = folder / "views-000000.tar"
    index_path(tar).write_text(index.replace("SIZE", str(tar.stat().st_size)))
    with pytest.raises(BadInput):
        list(read_samples(folder))


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match="render multiview"):
        read_samples(tmp_path)


def test_instantmesh_layout_round_trip(tmp_path):
    paths = {"toys": ["bear/0/00", "bear/0/01m"], "cups": ["000-023/8f2a"]}
    for path, sample in zip([p for group in paths.values() for p in group], SAMPLES):
        write_views(tmp_path, path, sample)
    write_paths(tmp_path, paths)
    samples = open_samples(tmp_path)
    assert samples.meshes == ["bear", "bear", "000-023/8f2a"]
    assert samples.groups == ["toys", "toys", "cups"]
    for found, sample in zip((samples[n] for n in range(3)), SAMPLES):
        np.testing.assert_array_equal(found.query, sample.query)
        np.testing.assert_array_equal(found.sheet, sample.sheet)
    tile = np.asarray(Image.open(tmp_path / "rendering_zero123plus" / "bear/0/01m/003.png"))
    np.testing.assert_array_equal(tile, SAMPLES[1].sheet[8:16, :8])  # 003.png: the third target, row 1, column 0


@pytest.mark.parametrize("paths", ['{"a": ["../../etc"]}', '{"a": ["/etc"]}', "[]", "{}", '{"a": [3]}', '{"a": 3}'])
def test_hostile_lists_of_paths(tmp_path, paths):
    (tmp_path / "rendering_zero123plus").mkdir()
    (tmp_path / "valid_paths.json").write_text(paths)
    with pytest.raises(BadInput):
        open_samples(tmp_path)


def test_keys_that_no_reader_could_group_are_refused(tmp_path):
    for key in ("a.b", "a/b", "a" * 81):
        with pytest.raises(BadInput, match="key"):
            write_shard(tmp_path / "views-000000.tar", [random_sample(key)])


def test_the_index_names_failures(folder):
    index = json.loads(index_path(folder / "views-000000.tar").read_text())
    assert index["failures"] == {"broken": "no triangles"}
