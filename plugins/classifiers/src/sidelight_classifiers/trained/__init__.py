"""Networks trained on the data of the recipe."""
