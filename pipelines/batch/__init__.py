"""A list of pictures comes in, as many results go out: resumable, whole or not at all, on one machine or many."""
