"""A model that knows the answers."""

import numpy as np

from zero123pp.images import untile_sheet
from zero123pp.pipelines.evaluation.sheets import (
    GRAY,
)
from zero123pp.pipelines.models import MultiViewModel
from zero123pp.rigs import get_rig
from zero123pp.types import MultiView, View


class Oracle(MultiViewModel):
    """A model that knows the answers, whatever the picture: by the order in which it is asked."""

    name, licence, rig = "oracle", "none", "v1.2"

    def __init__(self, answers):
        self.answers = iter(answers)

    def generate(self, cutout, *, seed=0, steps=None, guidance=None, progress=None):
        sheet = next(self.answers)
        alpha = sheet.alpha[..., None]
        straight = (sheet.rgb - GRAY * (1 - alpha)) / np.maximum(alpha, 1e-6) + 1e-4  # nearly: not infinitely good
        tiles = untile_sheet(np.dstack([straight, alpha]))
        cameras = get_rig(self.rig).cameras(tiles.shape[1])
        return MultiView(tuple(View(t[..., :3], t[..., 3], c) for t, c in zip(tiles, cameras)), source=self.name)
