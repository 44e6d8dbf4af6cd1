"""Random rays through a random grid of states, and random sections along rays."""

import torch

from zero123pp.recon.ops.rays import EMPTY, SOLID, SURFACE


def random_march(seed=0, rays=40, cells=9):
    generator = torch.Generator().manual_seed(seed)
    state = torch.randint(0, 8, (cells, cells, cells), generator=generator).clamp(max=2).to(torch.uint8)
    state = torch.tensor([SURFACE, SOLID, EMPTY], dtype=torch.uint8)[state.long()]  # mostly empty
    origins = torch.rand(rays, 3, generator=generator) * 0.2 - 0.3
    directions = torch.nn.functional.normalize(torch.rand(rays, 3, generator=generator) + 0.2, dim=1)
    near = torch.rand(rays, generator=generator) * 0.3
    far = near + torch.rand(rays, generator=generator) * 2 - 0.3  # some rays see nothing
    return origins, directions, near, far, state, 0.037, torch.rand(rays, generator=generator)


def random_alphas(seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    ray = torch.tensor([0, 0, 0, 2, 2, 3, 5, 5, 5, 5])  # rays 1 and 4 and 6 have no section
    alpha = torch.rand(len(ray), generator=generator, dtype=dtype)
    alpha[3], alpha[7] = 0.0, 1.0
    return alpha.requires_grad_(), ray, 7
