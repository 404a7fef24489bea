"""Adversarial training: losses, steps, and resumable trainings."""
