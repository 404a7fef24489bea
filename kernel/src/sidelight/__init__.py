"""Sidelight explains what an image classifier looks at."""
