"""Layers of the diffusion networks for processors: attention, feed-forward and convolution as compiled kernels."""
