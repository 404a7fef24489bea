"""Generators that train on the recipe's data: autoencoders and a Wasserstein GAN."""
