"""User study of attributes (Lang et al. 2021, section 4.2.2)."""
