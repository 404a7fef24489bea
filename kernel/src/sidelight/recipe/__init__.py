"""Reading recipes: strict YAML, typed structure, resolution against the installed plugins."""
