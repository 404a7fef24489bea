"""Shared front end: bundler, standalone pages, image encoding, design tokens, browser fixtures."""
