"""The runtime without torch against the torch module that is its specification."""

import numpy as np
import pytest
from prior_files import exported

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from zero123pp.recon.prior.framing import picture_outline, projection  # noqa: E402
from zero123pp.recon.prior.network import ShapePrior  # noqa: E402
from zero123pp.rigs import get_rig  # noqa: E402


@pytest.fixture(scope="module")
def network():
    """Random weights, with the zeros of a fresh network filled in so that every layer counts."""
    torch.manual_seed(0)
    network = ShapePrior().eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return network


@pytest.fixture(scope="module")
def prior(network, tmp_path_factory):
    half = {name: value.half().float() for name, value in network.state_dict().items()}  # as the file stores them
    network.load_state_dict(half)
    return exported(half, tmp_path_factory.mktemp("prior"))


def test_runtime_equals_the_module(network, prior):
    rng = np.random.default_rng(0)
    pictures = rng.random((3, 128, 128, 8), dtype=np.float32)
    cameras = get_rig("v1.2").cameras(320)[:3]
    # A cube a little larger than the pictures, so that some points project outside of them.
    matrices = np.stack(
        [projection(c.world_from_cam, np.array([c.fx, c.fy, c.cx, c.cy]), 320, np.zeros(3), 0.6) for c in cameras]
    ).astype(np.float32)
    points = rng.uniform(-1, 1, (500, 3)).astype(np.float32)

    encoded = prior.encode(pictures)
    volume = prior.volume(encoded, matrices)
    distances, colors = prior.decode(volume, encoded, matrices, points)

    with torch.no_grad():
        maps, normals, elevation = network.encoder(torch.from_numpy(pictures).permute(0, 3, 1, 2))
        outlines = torch.from_numpy(np.stack([picture_outline(picture[..., 3]) for picture in pictures]))[None]
        projections = torch.from_numpy(matrices)[None]
        expected_volume = network.encode_volume(maps[None], outlines, projections)
        expected, expected_colors = network.decode(
            expected_volume, maps[None], outlines, projections, torch.from_numpy(points)[None]
        )
    unit = torch.nn.functional.normalize(normals, dim=1).permute(0, 2, 3, 1)
    np.testing.assert_allclose(encoded.maps, maps.permute(0, 2, 3, 1), atol=2e-4)
    np.testing.assert_allclose(encoded.normals, unit, atol=2e-3)
    np.testing.assert_allclose(encoded.elevations_deg, 30 * elevation, atol=1e-2)
    np.testing.assert_allclose(volume, expected_volume[0].permute(1, 2, 3, 0), atol=2e-3)
    np.testing.assert_allclose(distances, expected[0], atol=1e-3)
    np.testing.assert_allclose(colors, expected_colors[0], atol=2e-3)
    assert distances.std() > 1e-3, "the comparison would see nothing"


def test_weights_are_one_readable_safetensors_file(prior, tmp_path_factory):
    from safetensors import safe_open

    folder = next(tmp_path_factory.getbasetemp().glob("prior*"))
    with safe_open(folder / "prior.safetensors", "np") as file:
        assert file.metadata()["steps"] == "30000"
        assert len(list(file.keys())) > 40
    assert sum(path.stat().st_size for path in folder.glob("*.onnx")) < 300_000


def test_no_points_are_no_error(prior):
    encoded = prior.encode(np.zeros((1, 128, 128, 8), np.float32))
    matrices = np.zeros((1, 3, 4), np.float32)
    distances, colors = prior.decode(np.zeros((32, 32, 32, 32), np.float32), encoded, matrices, np.zeros((0, 3)))
    assert distances.shape == (0,)
    assert colors.shape == (0, 3)
