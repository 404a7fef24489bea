"""Tables 1 and 2 and figures 4 to 6 of the paper."""
