"""The hash encoding: laws of the reference, and every back-end against it."""

import numpy as np
import pytest
import torch
from encoding_cases import LAYOUTS, assert_agrees, random_case
from paths import ROOT

from zero123pp.errors import ConfigError, MissingBackend
from zero123pp.recon.ops.encoding import BACKENDS, HashLayout, choose, numba_cpu, reference
from zero123pp.recon.ops.encoding.differences import encode_with_differences


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def layout(request):
    return request.param


def test_rows_of_levels_are_as_in_tiny_cuda_nn():
    layout = HashLayout(levels=8, log2_entries=19, base=16, growth=2.0)
    # 16^3 and 32^3 nodes are stored as they are, 128^3 and more are hashed into 2^19 rows.
    assert layout.resolutions[:4].tolist() == [16, 32, 64, 128]
    assert np.diff(layout.offsets)[:4].tolist() == [16**3, 32**3, 64**3, 2**19]
    assert layout.hashed[:4].tolist() == [False, False, False, True]


def test_a_linear_function_on_a_dense_level_is_reproduced():
    layout = HashLayout(levels=1, features=1, log2_entries=14, base=16, growth=1.0)
    n, scale = int(layout.resolutions[0]), float(layout.scales[0])
    z, y, x = np.meshgrid(*[np.arange(n)] * 3, indexing="ij")
    table = torch.zeros(layout.entries, 1, dtype=torch.float64)
    table[: n**3, 0] = torch.from_numpy((2.0 * x - y + 0.5 * z).reshape(-1))
    points = torch.rand(100, 3, dtype=torch.float64) * 0.9
    features, slopes = reference.encode(points, table, layout, slopes=True)
    nodes = points * scale + 0.5
    torch.testing.assert_close(features[:, 0], 2 * nodes[:, 0] - nodes[:, 1] + 0.5 * nodes[:, 2])
    torch.testing.assert_close(slopes[:, :, 0], scale * torch.tensor([2.0, -1, 0.5]).double().expand(100, 3))


def test_slopes_are_the_derivatives_by_the_points(layout):
    points, table = random_case(layout)
    points = points[8:].requires_grad_()
    features, slopes = reference.encode(points, table, layout, slopes=True)
    for column in range(layout.width):
        (found,) = torch.autograd.grad(features[:, column].sum(), points, retain_graph=True)
        torch.testing.assert_close(slopes[:, :, column], found)


@pytest.mark.parametrize("backend", [reference, numba_cpu], ids=["reference", "numba"])
@pytest.mark.parametrize("features", [1, 3])
def test_gradients_by_the_table(features, backend):
    layout = HashLayout(levels=2, features=features, log2_entries=5, base=3, growth=2.3)  # one dense, one hashed
    assert layout.hashed.tolist() == [False, True]
    points, table = random_case(layout, points=12)
    assert torch.autograd.gradcheck(lambda t: backend.encode(points, t, layout)[0], table)
    assert torch.autograd.gradcheck(lambda t: backend.encode(points, t, layout, slopes=True), table)


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_numba_agrees_with_the_reference(layout, dtype, tolerance, slopes):
    assert_agrees(numba_cpu, layout, dtype, slopes=slopes, tolerance=tolerance)


def test_numba_leaves_out_inactive_levels():
    assert_agrees(numba_cpu, LAYOUTS["dense and hashed"], torch.float64, active=4, slopes=True, tolerance=1e-12)
    points, table = random_case(LAYOUTS["dense and hashed"])
    features, slopes = numba_cpu.encode(points, table, LAYOUTS["dense and hashed"], 4, True)
    assert not features[:, 8:].any() and not slopes[:, :, 8:].any() and features[:, :8].any()


def test_numba_gives_the_same_bytes_with_any_number_of_threads():
    layout, threads = LAYOUTS["dense and hashed"], torch.get_num_threads()
    points, table = random_case(layout, torch.float32, 20_000)
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            features, slopes = numba_cpu.encode(points, table, layout, slopes=True)
            (gradient,) = torch.autograd.grad(features.sum() + slopes.sum(), table)
            results.append((features, slopes, gradient))
    finally:
        torch.set_num_threads(threads)
    for one, two in zip(*results):
        assert torch.equal(one, two)


def test_triton_agrees_with_the_reference_in_its_interpreter():
    """Triton's interpreter runs kernels on a CPU; it has to be asked for before the import, so in a new process."""
    pytest.importorskip("triton")
    import os
    import subprocess
    import sys

    program = (
        "import sys; sys.path[:0] = ['tests/helpers']\n"
        "import torch, encoding_cases as t\n"
        "from zero123pp.recon.ops.encoding import triton_gpu\n"
        "for layout in t.LAYOUTS.values():\n"
        "    for slopes in (False, True):\n"
        "        t.assert_agrees(triton_gpu, layout, torch.float32, slopes=slopes, tolerance=1e-5, points=600)\n"
        "print('agrees')\n"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path},
    )  # fmt: skip
    assert result.stdout.strip() == "agrees", result.stderr[-2000:]


def test_auto_takes_numba_on_a_cpu_and_names_it():
    name, module = choose("auto", "cpu")
    assert (name, module) == ("numba", numba_cpu)


def test_what_cannot_be_used_says_why_and_what_to_install():
    with pytest.raises(MissingBackend, match=r"tinycudann.*(cuda|docs/gpu.md)"):
        choose("tinycudann", "cpu")
    with pytest.raises(ConfigError, match=r"unknown encoding 'tcnn'.*reference"):
        choose("tcnn")
    assert {suits for _, suits, _ in BACKENDS.values()} <= {"cpu", "cuda", "any"}


@pytest.mark.parametrize("wrong", [{"levels": 0}, {"features": 9}, {"log2_entries": 30}, {"growth": 0.5}, {"base": 1}])
def test_impossible_layouts_are_refused(wrong):
    with pytest.raises(ConfigError, match="hash encoding has"):
        HashLayout(**wrong)


def test_differences_are_the_slopes_inside_a_cell():
    layout = LAYOUTS["dense and hashed"]
    points, table = random_case(layout)
    cell = points[:, None] * torch.tensor(layout.scales).double()[:, None] + 0.5
    off = (cell - cell.floor() - 0.5).abs().amax((1, 2))  # 0 in the middle of a cell of every level
    inside = (off < 0.49) & (points > 0.01).all(1) & (points < 0.99).all(1)
    assert inside.sum() > 50
    features, slopes = encode_with_differences(lambda p: reference.encode(p, table, layout)[0], points[inside], 1e-5)
    expected, expected_slopes = reference.encode(points[inside], table, layout, slopes=True)
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(slopes, expected_slopes, atol=1e-6, rtol=1e-6)
