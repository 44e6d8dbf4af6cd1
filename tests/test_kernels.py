"""What holds for all compiled kernels: the same bytes freshly compiled and from the cache."""

import ast
import os
import subprocess
import sys

import pytest
from import_graph import modules
from paths import ROOT

FIT = """
import hashlib
from balls import ball_views
from zero123pp.recon.fitting import FitConfig, fit
from zero123pp.recon.ops.field import rays
field = fit(ball_views(size=96), FitConfig(levels=(24, 32), steps=20))
hits = sum(rays.ray_losses.stats.cache_hits.values())
print(hits > 0, hashlib.sha256(field.sdf.tobytes() + field.color.tobytes()).hexdigest())
"""


def _jitted():
    """Every compiled function of the product: (file, function, its decorator as text)."""
    for path in modules().values():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for decorator in map(ast.unparse, node.decorator_list):
                    if "njit" in decorator:
                        yield path, node, decorator


@pytest.mark.quick
def test_fast_math_that_others_call_is_inlined():
    """A helper that is not is compiled twice, alone and in its caller, and the sums of fast math differ between both.

    Which of both runs depends on what was loaded first, so on whether its caller came from the cache.
    """
    functions = list(_jitted())
    helpers = {}
    for _, caller, _ in functions:
        called = {getattr(call.func, "id", None) for call in ast.walk(caller) if isinstance(call, ast.Call)}
        helpers |= {name: caller.name for name in called if name != caller.name}
    checked = 0
    for path, function, decorator in functions:
        if function.name in helpers and "fastmath=True" in decorator and "inline='never'" not in decorator:
            inlined = "forceinline=True" in decorator or "inline='always'" in decorator
            assert inlined, f"{path}: {function.name}, which {helpers[function.name]} calls, is not inlined"
            checked += 1
    assert checked > 5


def test_a_fit_gives_the_same_bytes_freshly_compiled_and_from_the_cache(tmp_path):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers")])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": path}
    runs = [
        subprocess.run([sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    (fresh, first), (cached, second) = (run.stdout.split() for run in runs)
    assert (fresh, cached) == ("False", "True")
    assert first == second
