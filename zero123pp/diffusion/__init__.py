"""Zero123++ as a diffusers pipeline."""
