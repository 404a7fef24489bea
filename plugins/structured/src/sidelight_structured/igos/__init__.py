"""I-GOS and iGOS++: masks optimised by integrated gradients (section 3)."""
