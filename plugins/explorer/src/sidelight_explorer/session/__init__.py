"""A session: edited images, sliders, styles; reading and writing it."""
