"""Explanations of single images by attributes."""
