"""Kinds named after the check that each fails."""

import attrs
import numpy as np
from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Text
from sidelight_specs.results import Explanation


@attrs.frozen(eq=False, kw_only=True)
class Good(Explanation):
    """Brightness of each image."""

    kind = "broken.good"

    brightness: np.ndarray = per_image("N")

    @classmethod
    def example(cls, images, classes):
        return cls(brightness=images.mean((1, 2, 3)))

    def view(self, index):
        return (Text(f"{self.brightness[index]:.2f}"),)


def bad(name, **changed):
    body = {"kind": name, **changed}
    return attrs.make_class("Bad", [], bases=(Good,), frozen=True, eq=False, kw_only=True, class_body=body)


def infinite(cls, images, classes):
    return cls(brightness=images.mean((1, 2, 3)) + np.float32(np.inf))


def reversed_shards(cls, parts):
    return Good.concat.__func__(cls, parts[::-1])


def forgets(self, folder):
    Good.save(attrs.evolve(self, brightness=self.brightness * 0), folder)


ALL = [
    Good,
    bad("example-is-valid", example=classmethod(infinite)),
    bad("invalid-is-refused", validate=lambda self, images=None, classes=None: None),
    bad("kind-survives-saving", save=forgets),
    bad("shards-join", concat=classmethod(reversed_shards)),
    bad("view-is-blocks", view=lambda self, index: ("bright",)),
]
