"""Metrics of heatmaps and attention graphs."""
