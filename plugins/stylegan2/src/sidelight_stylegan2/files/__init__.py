"""Checkpoints of other implementations, read without running anything that they hold, and our own."""
