"""Toys of the conformance kit: a dvae and a concept decoder of a toy classifier's layer."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sidelight_specs.testing import Toys
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData

from sidelight_intervention import DECODER_EXAMPLE, DVAE_EXAMPLE
from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts
from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
from sidelight_intervention.params import ConceptDecoderParams, DvaeParams

if TYPE_CHECKING:
    from sidelight_specs import Need
    from sidelight_specs.results import State
    from sidelight_specs.roles.classifier import Task
    from sidelight_specs.testing.toys import Shape


class InterventionToys(Toys):
    """The kit's toys, and trained components of this plugin for slots that want codes."""

    def fill(self, need: Need) -> Any:
        """A dvae, or a concept decoder with its dvae, trained once for each task."""
        if "intervention.codes" not in need.capabilities:
            return super().fill(need)
        if need.role == "attribute_finder":
            return trained_dvae(self.shape, self.task)
        return trained_decoder(self.shape, self.task)


def trained_dvae(shape: Shape, task: Task) -> DiscreteConcepts:
    """A fresh component with learned state."""
    dvae = _dvae(shape, task)
    dvae.load_state(_dvae_state(shape, task))
    return dvae


def trained_decoder(shape: Shape, task: Task) -> ConceptDecoder:
    """A fresh component with learned state."""
    decoder = _decoder(shape, task)
    decoder.load_state(_decoder_state(shape, task))
    return decoder


def _dvae(shape: Shape, task: Task) -> DiscreteConcepts:
    return DiscreteConcepts(DvaeParams(**DVAE_EXAMPLE), classifier=ToyClassifier(shape, task), run=ToyRun())


def _decoder(shape: Shape, task: Task) -> ConceptDecoder:
    return ConceptDecoder(ConceptDecoderParams(**DECODER_EXAMPLE), dvae=trained_dvae(shape, task), run=ToyRun())


@lru_cache
def _dvae_state(shape: Shape, task: Task) -> State:
    dvae = _dvae(shape, task)
    dvae.fit(ToyData(shape, task))
    return dvae.state()


@lru_cache
def _decoder_state(shape: Shape, task: Task) -> State:
    decoder = _decoder(shape, task)
    decoder.fit(ToyData(shape, task))
    return decoder.state()


_OF_CODES = ("concept-decoder", "concept-latents", "concept-flip", "layer-fidelity", "shared-information")
toys = {name: InterventionToys() for name in _OF_CODES} | {
    name: InterventionToys(task="binary") for name in ("concept-factors", "flip-factors")
}
