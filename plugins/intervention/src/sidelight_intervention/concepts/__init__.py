"""Discrete concepts of a layer: the variational autoencoder (equation 1) and the effects of its bits."""
