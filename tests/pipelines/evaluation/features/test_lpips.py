"""LPIPS by hand, its input, its weights' names, and hostile weights."""

import json

import numpy as np
import pytest
from feature_weights import alexnet, picture, random_weights

from zero123pp.errors import BadInput
from zero123pp.pipelines.evaluation.features import Weights, feature_distances, read_weights
from zero123pp.pipelines.evaluation.features.lpips import Lpips

torch = pytest.importorskip("torch")


def heads(channels=(64, 192, 384, 256, 256)) -> dict:
    return {f"lin{n}.model.1.weight": torch.rand((1, c, 1, 1)) for n, c in enumerate(channels)}


def test_lpips_by_hand():
    """Equation 1, written once more in numpy over the same features."""
    own = heads()
    distance = Lpips(alexnet() | own)
    a, b = picture(0), picture(1)
    assert distance.name == "LPIPS_alex" and [f.shape[1] for f in distance.features(a)] == [64, 192, 384, 256, 256]
    assert [tuple(f.shape[2:]) for f in distance.features(a)] == [(23, 15), (11, 7), (5, 3), (5, 3), (5, 3)]
    total = 0.0
    for number, (x, y) in enumerate(zip(distance.features(a), distance.features(b))):
        x, y = (f[0].numpy().astype(float) for f in (x, y))
        x, y = (f / (np.sqrt((f**2).sum(0)) + 1e-10) for f in (x, y))
        head = own[f"lin{number}.model.1.weight"].numpy().reshape(-1, 1, 1)
        total += (head * (x - y) ** 2).sum(0).mean()
    assert distance(a, b) == pytest.approx(total, rel=1e-5) and distance(a, a) == 0
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-6)


def test_lpips_normalises_its_input_as_published():
    tensors = alexnet()
    for name, tensor in tensors.items():
        tensors[name] = torch.zeros_like(tensor)
    tensors["features.0.weight"][0, 1, 5, 5] = 1  # passes the green of the centre pixel
    green = Lpips(tensors | heads()).features(np.full((64, 64, 3), 0.75))[0][0, 0, 5, 5].item()
    assert green == pytest.approx((2 * 0.75 - 1 + 0.088) / 0.448, rel=1e-5)


def test_lpips_takes_its_own_names_and_refuses_what_is_missing(tmp_path):
    own = {f"net.slice{n + 1}.{name.removeprefix('features.')}": t for n, (name, t) in enumerate(alexnet().items())}
    torch.manual_seed(0)
    lin = heads()
    assert Lpips(own | lin)(picture(0), picture(1)) == Lpips(alexnet() | lin)(picture(0), picture(1))
    with pytest.raises(BadInput, match="lin0"):
        Lpips(alexnet())
    with pytest.raises(BadInput, match=r"features\.0"):
        Lpips(heads())
    with pytest.raises(BadInput, match="another network"):
        Lpips({**alexnet(), "features.3.weight": torch.zeros(5, 5, 5, 5)} | lin)
    torch.save(alexnet(), tmp_path / "alex.pth")
    torch.save(lin, tmp_path / "lin.pth")
    (found,) = [d for d in feature_distances(Weights((str(tmp_path / "alex.pth"), str(tmp_path / "lin.pth"))))
                if d.name.startswith("LPIPS")]  # fmt: skip
    assert found.name == "LPIPS_alex" and found(picture(0), picture(1)) > 0


def test_vgg_is_told_from_alexnet():
    blocks = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
    blocks |= {17: (512, 256), **{n: (512, 512) for n in (19, 21, 24, 26, 28)}}
    shapes = {f"features.{n}.weight": (*io, 3, 3) for n, io in blocks.items()}
    shapes |= {f"features.{n}.bias": io[:1] for n, io in blocks.items()}
    distance = Lpips(random_weights(shapes) | heads((64, 128, 256, 512, 512)))
    assert distance.name == "LPIPS_vgg"
    assert [tuple(f.shape[1:]) for f in distance.features(picture(0, (64, 64)))] == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4),
    ]  # fmt: skip


def test_hostile_weights(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return print, ("executed",)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"features.0.weight": Evil()}))
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text(json.dumps({}))
    for file in ("evil.pth", "text.pth", "text.safetensors", "missing.pth"):
        with pytest.raises(BadInput):
            read_weights(tmp_path / file)
