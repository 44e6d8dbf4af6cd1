"""A reconstruction and the truth come in, numbers go out: distances, overlap, likeness of pictures."""
