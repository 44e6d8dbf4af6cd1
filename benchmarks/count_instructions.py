"""Instructions that the ray kernel executes, counted by valgrind's callgrind (hardware counters are rarely there).

`per_ray(state)` is called by `profile_fit.py --instructions`. Valgrind knows no AVX-512, so the kernel is compiled for
x86-64-v3 here; it is scalar code, and the count hardly depends on that.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

import numpy as np

REPEATS = 10
_TARGET = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+sse4.2,+popcnt,+f16c,+lzcnt,+movbe,+cx16",
    "OMP_NUM_THREADS": "1",
}


def available() -> bool:
    """Whether callgrind is installed."""
    return which("valgrind") is not None and which("callgrind_control") is not None


def per_ray(sdf: np.ndarray, color: np.ndarray, table: np.ndarray, chosen: np.ndarray, settings: np.ndarray) -> float:
    """Instructions a ray of the kernel, forward and backward, on one step of a fit."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.npz"
        np.savez(state, sdf=sdf, color=color, table=table, chosen=chosen, settings=settings)
        environment = {**os.environ, **_TARGET, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        command = [sys.executable, __file__, str(state)]
        subprocess.run(command, env=environment, check=True, capture_output=True)  # compiles into the cache
        output = str(Path(folder) / "callgrind.out")
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
        done = subprocess.run(
            [*valgrind, *command, "count"], env=environment, check=True, capture_output=True, text=True
        )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        raise RuntimeError(f"callgrind told no count: {done.stderr[-300:]}")
    return int(collected.group(1)) / (REPEATS * len(chosen))


def main() -> None:
    """The process that is counted: one call to load what is lazy, then the calls that count."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from zero123pp.recon.ops.field import rays

    state = np.load(sys.argv[1])
    sdf, color, table, chosen, settings = (state[key] for key in ("sdf", "color", "table", "chosen", "settings"))
    n = len(sdf)
    gradient, gradient_color = np.zeros(n**3, np.float32), np.zeros(3 * n**3, np.float32)
    losses, limit = np.zeros(rays.LOSSES, np.float32), rays.sample_limit(n, float(settings[rays.STEP]))

    def call() -> None:
        rays.ray_losses(sdf.reshape(-1), color.reshape(-1), n, table, chosen, 0, 1, settings, gradient, gradient_color,
                        losses, limit)  # fmt: skip

    call()
    if len(sys.argv) > 2:
        control = ["callgrind_control", "-i"]
        subprocess.run([*control, "on", str(os.getpid())], check=True, capture_output=True)
        for _ in range(REPEATS):
            call()
        subprocess.run([*control, "off", str(os.getpid())], check=True, capture_output=True)


if __name__ == "__main__":
    main()
