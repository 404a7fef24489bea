"""Checkpoints of other implementations, read without running their code, and our own."""
