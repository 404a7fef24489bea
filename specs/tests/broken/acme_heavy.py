"""A light module that is not light."""

import attrs
import PIL  # noqa: F401
from acme_broken import HEATMAP
from sidelight_specs import hookimpl


@hookimpl
def sidelight_explainers():
    yield attrs.evolve(HEATMAP, name="light-import")
