"""Views at another size: true means, and the same bytes whatever BLAS does."""

import os
import subprocess
import sys

import numpy as np
from paths import ROOT

from zero123pp.cameras import orbit_camera, resized
from zero123pp.recon.ops.resample import resampled
from zero123pp.types import View


def test_every_pixel_is_the_mean_over_its_area_weighted_by_alpha():
    rng = np.random.default_rng(0)
    rgb, alpha = rng.random((8, 12, 3)).astype(np.float32), rng.random((8, 12)).astype(np.float32)
    small = resampled(View(rgb, alpha, resized(orbit_camera(0, 0, 2, 30, 12), 12, 8), normal=rgb), 6, 4)
    area = (4, 2, 6, 2)
    mean_alpha = alpha.reshape(area).mean((1, 3))
    colour = (rgb * alpha[..., None]).reshape(*area, 3).mean((1, 3)) / mean_alpha[..., None]
    np.testing.assert_allclose(small.alpha, mean_alpha, rtol=1e-5)
    np.testing.assert_allclose(small.rgb, colour, rtol=1e-5)
    np.testing.assert_allclose(small.normal, rgb.reshape(*area, 3).mean((1, 3)), rtol=1e-5)
    assert (small.camera.width, small.camera.height) == (6, 4)


def test_the_number_of_threads_changes_no_byte():
    code = """
import zlib, numpy as np
from zero123pp.cameras import orbit_camera
from zero123pp.recon.ops.resample import resampled
from zero123pp.types import View
pixels = np.random.default_rng(0).random((320, 320, 4))
print(zlib.crc32(resampled(View(pixels[..., :3], pixels[..., 3], orbit_camera(0, 0, 2, 30, 320)), 75, 75).rgb))
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2", "4")
    }  # fmt: skip
    assert len(found) == 1
