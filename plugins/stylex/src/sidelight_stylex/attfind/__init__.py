"""AttFind: attributes found over many images, with examples and plausibility flags, and its baseline."""
