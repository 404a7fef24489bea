"""Recipes of Sidelight; each `NAME.yaml` beside this file is announced under its name. The package holds no code."""
