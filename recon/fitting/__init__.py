"""Posed views come in, a field of signed distances and colours that renders like them goes out."""
