"""Metrics of attributes of a style space."""
