"""Nonsense, for a leaderboard to place: a heatmap that is a checksum of the image."""

from sidelight_specs import ExplainerDescriptor, hookimpl


@hookimpl
def sidelight_explainers():
    yield ExplainerDescriptor(
        name="checksum",
        summary="Nonsense: the 64 bytes of the image's SHA-512 as 8 x 8 cells; asks no classifier.",
        factory="acme_checksum.explain:Checksum",
        gives="heatmap",
        answers="any",
        limits=("Explains nothing: it asks no classifier.",),
    )
