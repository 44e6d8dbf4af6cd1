"""A hash field over a plane, whose values and slopes are exact."""

import torch

from zero123pp.recon.fitting.hash.field import HashField, base_channels
from zero123pp.recon.ops.encoding import HashLayout, reference

N = 13


LAYOUT = HashLayout(levels=3, log2_entries=9, base=4, growth=2.0)


def plane_field(encoding=reference, dtype=torch.float64, bumpy=0.3):
    """A field over a plane, whose trilinear interpolant and its slope are exact, with a random correction."""
    axis = torch.arange(N, dtype=dtype)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    sdf = 0.6 * (x - 6.2) + 0.64 * (y - 5.9) + 0.48 * (z - 6.1)
    torch.manual_seed(0)
    field = HashField(base_channels(sdf, sdf - 5, torch.rand(N, N, N, 3, dtype=dtype)), LAYOUT, encoding, hidden=8)
    field = field.to(dtype)
    if bumpy:
        with torch.no_grad():
            field.table.normal_(0, 0.5)
            field.second.weight[0].normal_(0, bumpy)
            field.color[-1].weight.normal_(0, bumpy)
    return field
