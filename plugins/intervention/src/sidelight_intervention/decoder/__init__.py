"""Concept images: the decoder, its initialisation and the shared information (equations 2 to 6)."""
