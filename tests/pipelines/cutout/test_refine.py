"""The edge of a small mask found in the large picture."""

import numpy as np
from discs import GREEN, RED, soft_disc
from PIL import Image

from zero123pp.images import over
from zero123pp.pipelines.cutout.refine import guided_upsample


def test_guided_upsampling_finds_the_edge_of_the_picture():
    truth = soft_disc(512, (250, 260), 150, 1.0)
    picture = over(np.broadcast_to(RED, (512, 512, 3)), truth, GREEN).astype(np.float32)
    coarse = soft_disc(128, (62.5, 65), 37.5, 2.0)  # the same, four times smaller and blurred
    plain = np.asarray(Image.fromarray(coarse).resize((512, 512), Image.Resampling.BILINEAR))
    guided = guided_upsample(picture, coarse)
    assert np.abs(guided - truth).mean() < 0.35 * np.abs(plain - truth).mean()
    assert guided.min() >= 0 and guided.max() <= 1
