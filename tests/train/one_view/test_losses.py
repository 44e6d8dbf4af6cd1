"""The truth costs nothing, and what is wrong is paid for in the frame that it is wrong in."""

import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def truth():
    from balls_and_boxes import LIGHTS

    pytest.importorskip("trimesh")
    import numpy as np
    import trimesh

    from zero123pp.train.one_view import Solid
    from zero123pp.train.one_view.batches import as_batch
    from zero123pp.train.one_view.samples import make_sample
    from zero123pp.train.one_view.view import Pose, render_view

    rng = np.random.default_rng(0)
    ring = trimesh.creation.torus(0.8, 0.25, 32, 16)
    solid = Solid.of(
        np.array(ring.vertices), np.array(ring.faces), lambda f, w: np.full((len(f), 3), 90.0, np.float32), ""
    )
    poses = [Pose(np.eye(3), 0.3 * k, 0.2 * k, 0.0, 0.5, 1.1, True) for k in range(3)]
    return as_batch([make_sample(render_view(solid, pose, 32, rng), LIGHTS, rng) for pose in poses])


def perfect(truth, **changes):
    from zero123pp.train.one_view.network import Reading

    wanted = torch.nan_to_num(truth["layers"])
    known = torch.isfinite(truth["layers"][:, 1])
    is_gap = known & (wanted[:, 2] - wanted[:, 1] > 0.04)
    values = {
        "layers": wanted, "front_normal": truth["normals"][:, :3], "back_normal": truth["normals"][:, 3:],
        "back_rgb": truth["back_rgb"], "gap": (is_gap.float() * 2 - 1) * 30, "log_error": wanted[:, 0] * 0 - 20,
        "foreground": (truth["alpha"] * 2 - 1) * 30, "up": truth["up"], "tan_half_fov": truth["tan_half_fov"],
    }  # fmt: skip
    return Reading(**values | changes)


def test_the_truth_costs_nothing(truth):
    from zero123pp.train.one_view.losses import WEIGHTS, losses

    parts = losses(perfect(truth), truth)
    assert set(parts) == set(WEIGHTS)
    for name, value in parts.items():
        if name == "foreground":
            assert value < 1.5  # at soft edges there is no sure answer
        elif name != "error":
            assert value < 0.011, name


def test_a_wrong_way_up_moves_the_upright_points(truth):
    from zero123pp.train.one_view.losses import losses, upright_frame

    turn = torch.tensor(0.2)
    c, s = torch.cos(turn), torch.sin(turn)
    matrix = torch.stack([torch.tensor([1.0, 0, 0]), torch.stack([0 * c, c, -s]), torch.stack([0 * c, s, c])])
    tilted = losses(perfect(truth, up=truth["up"] @ matrix.T), truth)
    assert tilted["upright"] > 0.05 and tilted["up"] > 0.1 and tilted["front"] < 1e-5
    frames = upright_frame(truth["up"])
    torch.testing.assert_close(frames @ frames.transpose(1, 2), torch.eye(3).expand(3, 3, 3), atol=1e-5, rtol=0)
    level = torch.einsum("bij,bj->bi", frames, truth["up"])
    torch.testing.assert_close(level, torch.tensor([[0.0, 1, 0]] * 3), atol=1e-5, rtol=0)
    assert torch.linalg.det(frames).allclose(torch.ones(3))


def test_confidence_is_learned_and_does_not_teach_the_depth(truth):
    """The best log error is the log of the error itself; the depth gets no gradient from it."""
    from zero123pp.train.one_view.losses import losses

    layers = (perfect(truth).layers + 0.1).requires_grad_()
    found = {}
    for level in (0.05, 0.1, 0.2):
        log_error = torch.full_like(layers[:, 0].detach(), level).log()
        found[level] = losses(perfect(truth, layers=layers, log_error=log_error), truth)["error"]
    assert found[0.1] < min(found[0.05], found[0.2])
    assert not found[0.1].requires_grad


def test_slopes_forgive_an_offset_and_not_a_lean(truth):
    from zero123pp.train.one_view.losses import losses

    wanted = torch.nan_to_num(truth["layers"])
    lean = torch.linspace(-0.3, 0.3, 32)[None, None, None]
    assert losses(perfect(truth, layers=wanted + 0.2), truth)["slope"] < 1e-5
    assert losses(perfect(truth, layers=wanted + lean), truth)["slope"] > 5e-3
