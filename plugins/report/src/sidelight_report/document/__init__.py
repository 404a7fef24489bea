"""The report as one JSON-ready document: cards, attributes, measurements, by-products."""
