"""Where the random numbers of one sampling run come from.

By default all of them come from the caller's generator, so that a seed fixes the result whatever ran before. With
``legacy`` the VAE's posterior and the reference noise come from torch's global generator, as in the original pipeline.
The order of the draws is the same in both: posterior of the condition, posterior of the negative condition, initial
latents; then, each step, reference noise followed by the scheduler's own noise.
"""

from collections.abc import Sequence

import torch
from diffusers.utils.torch_utils import randn_tensor

from zero123pp.errors import BadInput

Generators = torch.Generator | Sequence[torch.Generator] | None


class NoiseSource:
    """Standard normal draws for ``images`` pictures sampled together.

    One generator serves all pictures in turn. A list gives each picture its own, and then picture i is the one that
    generator i alone would give. Several of them may be drawn of the same input.
    """

    def __init__(
        self,
        generator: Generators,
        images: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
        legacy: bool = False,
    ):
        if isinstance(generator, Sequence):
            generator = list(generator)
            if len(generator) != images:
                raise BadInput(f"got {len(generator)} generators for {images} pictures; give one, or one for each")
        self.generator = generator
        """What the scheduler draws its own noise from."""
        self._side = None if legacy else generator
        self.device, self._dtype = device, dtype

    @property
    def is_separate(self) -> bool:
        """Whether each picture has a generator of its own."""
        return isinstance(self.generator, list)

    def posterior(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Noise for VAE posteriors ``shape`` = (inputs, C, h, w); (images, C, h, w) when each has its own generator."""
        if isinstance(self._side, list):
            shape = (len(self._side), *shape[1:])
        return self._draw(shape, self._side)

    def initial(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Noise (images, C, h, w) of the first step."""
        return self._draw(shape, self.generator)

    def reference(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Noise for the reference latents, ``shape`` = (halves * images, C, h, w), ordered [negative, positive]."""
        if not isinstance(self._side, list):
            return self._draw(shape, self._side)
        halves = shape[0] // len(self._side)
        draws = [self._draw((halves, *shape[1:]), generator) for generator in self._side]
        return torch.stack(draws, dim=1).flatten(0, 1)  # (halves, images, ...) -> [neg x n, pos x n]

    def _draw(self, shape: tuple[int, ...], generator: Generators) -> torch.Tensor:
        return randn_tensor(shape, generator=generator, device=self.device, dtype=self._dtype)
