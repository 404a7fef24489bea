"""Adversarial training: losses, steps, and trainings that are kept in parts."""
