"""One cutout comes in, a network's depth maps make it a closed solid."""
