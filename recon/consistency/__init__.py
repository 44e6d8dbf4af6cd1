"""Posed views that contradict each other come in, views whose silhouettes agree go out."""
