"""Explanation networks (section 2)."""
