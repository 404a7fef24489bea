"""Drawn faces whose every factor is known: signed-distance shapes in numpy.

- `factors`: what can vary, between which values, how it is drawn at random
- `canvas`, `shapes`, `colours`: pixels, distances, colour ramps
- `pose`, `scene`, `head`, `hair`, `eyes`, `mouth`, `glasses`: the parts of a portrait
- `render`: from factors to images and part masks
- `labels`: labels with noise, and confounds planted between factors and label
- `data`: the component
"""
