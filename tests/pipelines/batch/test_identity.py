"""The key of a result: it follows the libraries and the whole content of the weights."""

import os
from importlib import metadata

import pytest

from zero123pp.pipelines.batch import content
from zero123pp.pipelines.batch.identity import common_identity, item_key, model_revision
from zero123pp.pipelines.batch.items import Item
from zero123pp.pipelines.batch.job import BatchSettings

SETTINGS = BatchSettings("out")


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    (tmp_path / "weights.safetensors").write_bytes(bytes(3 * 2**20))
    return tmp_path


def key(model="inflated", **options):
    return item_key(Item(0, image="toy.png"), {"image": b"1"}, common_identity(model, BatchSettings("out", **options)))


@pytest.fixture
def newer(monkeypatch):
    """A function: pretend that there is another release of a distribution."""

    def pretend(name):
        monkeypatch.setattr(metadata, "version", lambda asked: "99.0" if asked == name else real(asked))

    real = metadata.version
    return pretend


@pytest.mark.parametrize(
    "library",
    [
        *("numpy", "scipy", "scikit-image", "numba", "llvmlite"),
        *("onnxruntime", "Pillow", "trimesh", "fast-simplification", "manifold3d"),
    ],
)
def test_another_release_of_a_library_is_another_result(library, newer):
    before = key()
    newer(library)
    assert key() != before


@pytest.mark.parametrize("library", ["torch", "diffusers", "transformers"])
def test_the_diffusion_libraries_count_for_diffusion_models_alone(library, newer, checkpoint):
    drawn, bundled = key(str(checkpoint)), key()
    newer(library)
    assert key(str(checkpoint)) != drawn and key() == bundled


def test_torch_counts_where_the_field_or_the_refinement_uses_it(newer):
    overrides = [("fit.field=hash",), ("refine.use=always",)]
    before = [key(overrides=each) for each in overrides]
    newer("torch")
    assert all(key(overrides=each) != old for each, old in zip(overrides, before))


@pytest.mark.parametrize("place", [0, 3 * 2**19, 3 * 2**20 - 1])
def test_a_checkpoint_is_told_apart_by_every_byte_of_its_weights(checkpoint, place):
    before = model_revision(str(checkpoint), SETTINGS)
    weights = bytearray(3 * 2**20)
    weights[place] = 1
    (checkpoint / "weights.safetensors").write_bytes(weights)
    assert model_revision(str(checkpoint), SETTINGS) != before


def test_a_files_name_belongs_to_a_checkpoint(checkpoint):
    before = model_revision(str(checkpoint), SETTINGS)
    (checkpoint / "weights.safetensors").rename(checkpoint / "other.safetensors")
    assert model_revision(str(checkpoint), SETTINGS) != before


def test_weights_named_by_an_option_count_by_their_content(tmp_path):
    unet = tmp_path / "unet.safetensors"
    unet.write_bytes(b"1")
    before = key(options={"unet": str(unet)})
    unet.write_bytes(b"2")
    assert key(options={"unet": str(unet)}) != before


def test_weights_are_read_once_and_again_after_they_were_replaced(checkpoint, monkeypatch):
    read = []
    real = content.hashlib.file_digest

    def counted(file, name):
        read.append(os.path.basename(file.name))
        return real(file, name)

    monkeypatch.setattr(content.hashlib, "file_digest", counted)
    first = [model_revision(str(checkpoint), SETTINGS) for _ in range(3)]
    assert sorted(read) == ["model_index.json", "weights.safetensors"] and len(set(first)) == 1
    replacement = checkpoint.with_suffix(".new")
    replacement.write_bytes(bytes(3 * 2**20 - 1) + b"1")
    os.replace(replacement, checkpoint / "weights.safetensors")
    assert model_revision(str(checkpoint), SETTINGS) != first[0]
    assert read.count("weights.safetensors") == 2 and read.count("model_index.json") == 1
