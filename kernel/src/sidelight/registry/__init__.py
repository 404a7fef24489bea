"""Finding what is installed and loading its light modules in isolation."""
