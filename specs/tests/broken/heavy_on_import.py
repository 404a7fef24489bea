"""A light module that is not light."""

import attrs
import PIL  # noqa: F401
from broken_promises import HEATMAP
from sidelight_specs import hookimpl


@hookimpl
def sidelight_explainers():
    yield attrs.evolve(HEATMAP, name="light-import")
