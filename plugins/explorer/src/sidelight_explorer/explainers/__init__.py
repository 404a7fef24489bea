"""The explainers that present edits as results."""
