"""Heatmap baselines that the paper compares CDeepEx with."""
