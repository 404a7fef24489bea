"""A session: edited images, sliders, styles; reading, writing and exporting it."""
