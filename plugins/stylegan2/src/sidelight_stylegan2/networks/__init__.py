"""The networks of StyleGAN2, and the sizes that they are built from; this module imports no torch."""
