"""GPU tests use the helpers of the tests that need none."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "recon"))
