"""Structured attention graphs (section 4)."""
