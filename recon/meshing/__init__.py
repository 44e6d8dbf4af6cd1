"""A field comes in, a closed, clean, simplified triangle mesh goes out."""
