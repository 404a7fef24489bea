"""Files that tests and benchmarks write; no component imports it."""
