"""Metrics for data drawn from known factors."""
