"""Checkpoints of all sorts: other file formats, damaged ones, hostile ones."""

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zero123pp import Zero123PlusPipeline
from zero123pp.diffusion import loading
from zero123pp.errors import BadInput, MissingBackend

FILES = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
    "vision_encoder": "model",
}


@pytest.fixture
def copy(tiny, tmp_path):
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny, folder)
    return folder


@pytest.fixture
def controlnet_copy(tiny_controlnet, tmp_path):
    folder = tmp_path / "controlnet"
    shutil.copytree(tiny_controlnet, folder)
    return folder


def edit(file, **changes):
    content = json.loads(file.read_text())
    for key, value in changes.items():
        content.pop(key, None) if value is ... else content.__setitem__(key, value)
    file.write_text(json.dumps(content))


def weights(folder, part):
    return folder / part / f"{FILES[part]}.safetensors"


def refused(folder, **more):
    with pytest.raises(BadInput) as caught:
        Zero123PlusPipeline.from_pretrained(folder, **more)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message


def same_weights(one, other):
    for name in FILES:
        a, b = getattr(one, name).state_dict(), getattr(other, name).state_dict()
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a), name


def sampled(pipe, picture):
    pipe.set_progress_bar_config(disable=True)
    more = {"width": 128, "height": 192, "num_inference_steps": 2, "output_type": "latent"}
    return pipe(picture, generator=torch.Generator().manual_seed(0), **more).images


def test_pickled_weights_of_tensors_load(copy, pipe):
    for part, stem in FILES.items():
        name = "pytorch_model.bin" if stem == "model" else f"{stem}.bin"
        torch.save(load_file(weights(copy, part)), copy / part / name)
        weights(copy, part).unlink()
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)


def test_safetensors_are_preferred_and_the_pickle_beside_them_is_left_alone(copy, pipe):
    (copy / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"not even a pickle")
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)


def test_split_weights_load(copy, pipe):
    state = load_file(weights(copy, "unet"))
    names = sorted(state)
    shards = {f"diffusion_pytorch_model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for file, keys in shards.items():
        save_file({k: state[k] for k in keys}, copy / "unet" / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {k: file for file, keys in shards.items() for k in keys}}
    (copy / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    weights(copy, "unet").unlink()
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)


def to_variant(folder, variant, split=()):
    """The weights of a checkpoint under the names of a variant, those of some parts split in two."""
    for part, stem in FILES.items():
        file = weights(folder, part)
        if part in split:
            state = load_file(file)
            names = sorted(state)
            shards = {f"{stem}.{variant}-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
            for shard, keys in shards.items():
                save_file({k: state[k] for k in keys}, folder / part / shard, metadata={"format": "pt"})
            index = {"metadata": {}, "weight_map": {k: shard for shard, keys in shards.items() for k in keys}}
            (folder / part / f"{stem}.safetensors.index.{variant}.json").write_text(json.dumps(index))
            file.unlink()
        else:
            file.rename(file.with_name(f"{stem}.{variant}.safetensors"))


@pytest.mark.parametrize("variant", ["fp16", "non_ema"])
def test_weights_of_a_variant_load(copy, pipe, variant):
    to_variant(copy, variant, split=("unet", "vision_encoder"))
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)


def test_plain_weights_are_preferred_and_of_several_variants_the_known_one(copy, controlnet_copy, pipe):
    other = copy / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    other.write_bytes(b"damaged")
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)
    other.unlink()
    to_variant(copy, "fp16")
    (copy / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"damaged")
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)
    plain = controlnet_copy / "diffusion_pytorch_model.safetensors"
    plain.rename(plain.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert loading.load_controlnet(controlnet_copy, torch.float32) is not None


def test_variants_that_leave_a_choice_are_named(copy):
    to_variant(copy, "ema")
    shutil.copy(
        copy / "unet" / "diffusion_pytorch_model.ema.safetensors",
        copy / "unet" / "diffusion_pytorch_model.non_ema.safetensors",
    )
    assert "it has the variants ema, non_ema" in refused(copy)


def test_a_tokenizer_of_one_file_loads(copy, pipe):
    pipe.tokenizer.backend_tokenizer.save(str(copy / "tokenizer" / "tokenizer.json"))
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json"):
        (copy / "tokenizer" / name).unlink()
    found = Zero123PlusPipeline.from_pretrained(copy)
    for text in ("", "a Toy robot, red"):
        assert found.tokenizer(text).input_ids == pipe.tokenizer(text).input_ids
    assert found.tokenizer.model_max_length == pipe.tokenizer.model_max_length


@pytest.mark.parametrize("prefix", ["", "text_model."])
def test_text_keys_with_and_without_prefix(prefix, copy, pipe):
    """Published files have it; files written by transformers 5 have not. Old ones hold position ids as well."""
    file = weights(copy, "text_encoder")
    state = {prefix + key.removeprefix("text_model."): value for key, value in load_file(file).items()}
    state[f"{prefix}embeddings.position_ids"] = torch.arange(77)[None]
    save_file(state, file, metadata={"format": "pt"})
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)


def test_old_names_of_the_vaes_attention(copy, pipe):
    file = weights(copy, "vae")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for key, value in load_file(file).items():
        for new, name in old.items():
            if "mid_block.attentions" in key:
                key = key.replace(f".{new}.", f".{name}.")
        state[key] = value
    assert any(".proj_attn." in key for key in state)
    save_file(state, file, metadata={"format": "pt"})
    same_weights(Zero123PlusPipeline.from_pretrained(copy), pipe)


class Bomb:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return exec, (f"open({self.marker!r}, 'w').close()",)


@pytest.mark.parametrize("part", [*FILES, "controlnet"])
@pytest.mark.parametrize("style", ["raw", "zip"])
def test_a_pickle_that_hides_code_is_refused_and_does_not_run(part, style, copy, controlnet_copy, tmp_path, pipe):
    marker = tmp_path / "ran"
    folder = controlnet_copy if part == "controlnet" else copy / part
    stem = FILES.get(part, "diffusion_pytorch_model")
    (folder / f"{stem}.safetensors").unlink()
    file = folder / ("pytorch_model.bin" if stem == "model" else f"{stem}.bin")
    if style == "zip":
        torch.save({"weight": Bomb(marker)}, file)
        assert zipfile.is_zipfile(file)
    else:
        file.write_bytes(pickle.dumps({"weight": Bomb(marker)}))
    message = refused(copy, controlnet=controlnet_copy if part == "controlnet" else None)
    assert "code" in message and str(file) in message
    assert not marker.exists()
    with open(file, "rb") as f:  # and the bomb is a real one
        if style == "raw":
            pickle.load(f)
            assert marker.exists()


def test_planted_code_does_not_run(copy, tmp_path, pipe, picture):
    """A pipeline.py, classes of other modules in the index, code named in configs: none of it is even looked at."""
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w').close()\nclass Zero123PlusPipeline:\n    pass\nclass CLIPTextModel:\n    pass\n"
    for place in ("pipeline.py", "__init__.py", "unet/unet.py", "text_encoder/modeling_evil.py", "evil.py"):
        (copy / place).write_text(code)
    edit(
        copy / "model_index.json",
        _class_name=["pipeline", "Zero123PlusPipeline"],
        unet=["unet", "Evil"],
        text_encoder=["evil", "CLIPTextModel"],
        custom_pipeline="pipeline.py",
    )
    edit(copy / "text_encoder" / "config.json", auto_map={"AutoModel": "modeling_evil.CLIPTextModel"})
    edit(copy / "tokenizer" / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})
    loaded = Zero123PlusPipeline.from_pretrained(copy)
    same_weights(loaded, pipe)
    sampled(loaded, picture)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["os.system", "StableDiffusionPipeline", "evil", ["a", "b"], None, "__doc__"])
def test_a_scheduler_must_be_one_of_diffusers(name, copy):
    edit(copy / "scheduler" / "scheduler_config.json", _class_name=name)
    assert "no scheduler of diffusers" in refused(copy)


@pytest.mark.parametrize(
    ("part", "value"), [*((part, float("nan")) for part in FILES), ("unet", float("inf")), ("vae", -float("inf"))]
)
def test_weights_must_be_finite(part, value, copy):
    state = load_file(weights(copy, part))
    key = sorted(state)[-1]
    state[key].view(-1)[0] = value
    save_file(state, weights(copy, part), metadata={"format": "pt"})
    message = refused(copy)
    assert "NaN or infinity" in message and part in message


@pytest.mark.parametrize("part", FILES)
@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "lacking", "shape"])
def test_damaged_weights(part, damage, copy):
    file = weights(copy, part)
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        file.write_text("version https://git-lfs.github.com/spec/v1\n")
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        state = load_file(file)
        key = next(k for k in sorted(state) if k.endswith("weight") and state[k].ndim > 1)
        state[key] = torch.zeros(3, 3) if damage == "shape" else state[key]
        if damage == "lacking":
            del state[key]
        save_file(state, file, metadata={"format": "pt"})
    message = refused(copy)
    assert part in message and {"lacking": "lack 1 of", "shape": "shape"}.get(damage, "") in message


@pytest.mark.parametrize(
    ("file", "changes", "says"),
    [
        ("model_index.json", {"ramping_coefficients": ...}, "ramping_coefficients"),
        ("model_index.json", {"ramping_coefficients": []}, "ramping_coefficients"),
        ("model_index.json", {"ramping_coefficients": "0.1"}, "ramping_coefficients"),
        ("model_index.json", {"ramping_coefficients": [0.1] * 76}, "77 and 76"),
        ("model_index.json", {"ramping_coefficients": [None] * 77}, "finite"),
        ("model_index.json", {"ramping_coefficients": [float("nan")] * 77}, "finite"),
        ("model_index.json", {"rig": "v9"}, "v9"),
        ("model_index.json", {"rig": ["v1.1"]}, "rig"),
        ("model_index.json", {"tile_size": -3}, "tile_size"),
        ("model_index.json", {"tile_size": "320"}, "tile_size"),
        ("unet/config.json", {"block_out_channels": [1, 2]}, "unet"),
        ("unet/config.json", {"cross_attention_dim": 64}, "unet"),
        ("unet/config.json", {"down_block_types": ["Evil"] * 4}, "unet"),
        ("vae/config.json", {"latent_channels": 8}, "vae"),
        ("text_encoder/config.json", {"hidden_size": "many"}, "text_encoder"),
        ("feature_extractor_vae/preprocessor_config.json", {"image_mean": ...}, "preprocessor_config"),
    ],
)
def test_unusable_configs(file, changes, says, copy):
    edit(copy / file, **changes)
    assert says in refused(copy)


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "tokenizer/vocab.json"])
@pytest.mark.parametrize("content", ["{", "[1, 2]", "", "\x00\xff"])
def test_configs_that_are_no_json(file, content, copy):
    (copy / file).write_text(content)
    refused(copy)


def test_parts_of_different_models(copy):
    state = {k: torch.cat([v, v], 0) if "visual_projection" in k else v for k, v in load_file(
        weights(copy, "vision_encoder")).items()}  # fmt: skip
    save_file(state, weights(copy, "vision_encoder"), metadata={"format": "pt"})
    edit(copy / "vision_encoder" / "config.json", projection_dim=64)
    assert "vision projection" in refused(copy)


@pytest.mark.parametrize("target", ["../vae/diffusion_pytorch_model.safetensors", "/etc/passwd", "a/b", 7, ""])
def test_an_index_of_weights_may_not_point_outside(target, copy):
    weights(copy, "unet").unlink()
    index = copy / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": target}}))
    assert "index.json" in refused(copy)


def test_folders_that_are_no_checkpoint(tmp_path, copy, tiny_controlnet):
    assert "model_index.json and " in refused(tmp_path)
    assert "model_index.json" in refused(tiny_controlnet)
    shutil.rmtree(copy / "vision_encoder")
    assert "vision_encoder/config.json" in refused(copy)
    file = tmp_path / "toy.png"
    file.write_text("hello")
    assert "is a file" in refused(file)
    assert "no folder" in refused(tmp_path / "missing")
    assert "no folder" in refused("~/no such place")


def test_controlnets_must_fit(tiny, copy, controlnet_copy, tmp_path):
    assert "is no ControlNet" in refused(tiny, controlnet=tmp_path)
    zp11 = tmp_path / "controlnet-zp11-depth-v1"
    shutil.copytree(controlnet_copy, zp11)
    assert "trained for v1.1" in refused(tiny, controlnet=zp11)
    assert Zero123PlusPipeline.from_pretrained(tiny, controlnet=zp11, rig="v1.1").rig == "v1.1"
    state = load_file(controlnet_copy / "diffusion_pytorch_model.safetensors")
    state[sorted(state)[0]].fill_(float("nan"))
    save_file(state, controlnet_copy / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    assert "NaN" in refused(tiny, controlnet=controlnet_copy)


def test_a_controlnet_of_another_size_is_refused(tiny):
    from diffusers import ControlNetModel, UNet2DConditionModel

    other = UNet2DConditionModel(
        sample_size=8, block_out_channels=(4, 8), norm_num_groups=2, cross_attention_dim=16, attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    assert "belongs to another model" in refused(tiny, controlnet=ControlNetModel.from_unet(other))


@pytest.mark.parametrize(
    ("index", "unet", "source", "rig"),
    [
        ({}, {}, "some/checkpoint", "v1.2"),
        ({}, {}, "sudo-ai/zero123plus-v1.1", "v1.1"),
        ({}, {}, "sudo-ai/zero123plus-v1.2", "v1.2"),
        ({}, {}, "/models--sudo-ai--zero123plus-v1.1/snapshots/0123", "v1.1"),
        ({}, {}, "/data/v1.1/zero123plus-v1.2", "v1.2"),
        ({}, {}, "/data/release-v1.2.3", "v1.2"),
        ({"_name_or_path": "sudo-ai/zero123plus-v1.1"}, {}, "mine", "v1.2"),  # what v1.2's own index says
        ({"_name_or_path": "sudo-ai/zero123plus-v1.2"}, {}, "mine", "v1.2"),
        ({}, {"_name_or_path": "/hub/models--sudo-ai--zero123plus-v1.1/snapshots/0/unet"}, "mine", "v1.1"),
        ({"rig": "v1.1"}, {}, "sudo-ai/zero123plus-v1.2", "v1.1"),
    ],
)
def test_which_rig(index, unet, source, rig, copy):
    edit(copy / "model_index.json", **index)
    edit(copy / "unet" / "config.json", **unet)
    assert loading.rig_of(copy, source) == rig


def test_rig_and_type_arguments(tiny):
    assert "v3" in refused(tiny, rig="v3")
    assert "torch_dtype" in refused(tiny, torch_dtype="float16")


def test_what_is_not_here_is_not_fetched(tmp_path):
    with pytest.raises(MissingBackend) as caught:
        Zero123PlusPipeline.from_pretrained("nobody/nothing", local_files_only=True, cache_dir=tmp_path)
    assert "'nobody/nothing'" in str(caught.value) and "\n" not in str(caught.value)


def test_saving_and_loading_again(tmp_path, tiny, tiny_controlnet, picture, pipe):
    """Bit for bit, under the published names, without a trace of the libraries' newer habits."""
    first = Zero123PlusPipeline.from_pretrained(tiny, rig="v1.1")
    folder = tmp_path / "saved"
    first.save_pretrained(folder)
    second = Zero123PlusPipeline.from_pretrained(folder)
    same_weights(first, second)
    assert second.rig == "v1.1" and second.tile_size == 320
    assert torch.equal(sampled(first, picture), sampled(second, picture))

    published = {p.relative_to(tiny).as_posix() for p in tiny.rglob("*") if p.is_file()}
    written = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert written == published
    for part in FILES:
        assert load_file(weights(folder, part)).keys() == load_file(weights(tiny, part)).keys(), part
    for part in ("text_encoder", "vision_encoder"):
        old, new = (json.loads((root / part / "config.json").read_text()) for root in (tiny, folder))
        assert {k: new[k] for k in old if k != "transformers_version"} == {
            k: v for k, v in old.items() if k != "transformers_version"
        }
    for part in ("feature_extractor_clip", "feature_extractor_vae"):
        old, new = (json.loads((root / part / "preprocessor_config.json").read_text()) for root in (tiny, folder))
        assert old == new
    old, new = (json.loads((root / "model_index.json").read_text()) for root in (tiny, folder))
    assert {k: new[k] for k in old if k != "_diffusers_version"} == {
        k: v for k, v in old.items() if k != "_diffusers_version"
    }
    prompts = ["", "a car", "a toy robot, standing", "x" * 300]
    ids = [[p.tokenizer(prompt, padding="max_length", max_length=77, truncation=True).input_ids for prompt in prompts]
           for p in (first, second)]  # fmt: skip
    np.testing.assert_array_equal(*ids)


def test_half_precision_and_a_controlnet_are_saved_too(tmp_path, tiny, tiny_controlnet):
    first = Zero123PlusPipeline.from_pretrained(tiny, controlnet=tiny_controlnet, torch_dtype=torch.float16)
    first.save_pretrained(tmp_path / "saved")
    second = Zero123PlusPipeline.from_pretrained(tmp_path / "saved", torch_dtype=torch.float16)
    same_weights(first, second)
    a, b = first.controlnet.state_dict(), second.controlnet.state_dict()
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert load_file(weights(tmp_path / "saved", "unet"))["conv_in.weight"].dtype == torch.float16


def test_a_controlnet_made_in_python_fits_a_loaded_unet(tiny, pipe):
    """Numbers in configs are tuples in one and lists in the other."""
    from diffusers import ControlNetModel, UNet2DConditionModel

    config = {k: tuple(v) if isinstance(v, list) else v for k, v in pipe.unet.config.items()}
    unet = UNet2DConditionModel.from_config(config)
    assert isinstance(unet.config.block_out_channels, tuple)
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
    assert Zero123PlusPipeline.from_pretrained(tiny, controlnet=controlnet).controlnet is controlnet
