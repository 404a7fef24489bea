"""StylEx: a generator trained to explain a classifier (Lang et al. 2021). This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen
from sidelight_specs import (
    ExplainerDescriptor,
    GeneratorDescriptor,
    InverterDescriptor,
    Need,
    hookimpl,
)
from sidelight_specs.facts import DataFacts, Mistake
from sidelight_stylegan2 import size_mistakes
from sidelight_toolkit.drawn_latents import DrawingFinderDescriptor
from sidelight_toolkit.lpips_weights import distance_files, distance_fingerprint, lpips_mistakes
from sidelight_toolkit.shared_limits import DRAWABLE, NAMELESS, NOT_THE_WORLD

from sidelight_stylex.params import (
    AttFindParams,
    DifferenceParams,
    EncoderParams,
    GeneratorParams,
    IndependentParams,
    SubsetParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.facts import Given

PAPER = "Lang et al. 2021, Explaining in Style: Training a GAN to explain a classifier in StyleSpace"


@frozen(kw_only=True)
class StylExDescriptor(GeneratorDescriptor):
    """A generator that is trained on the recipe's data, with the classifier."""

    def fingerprint(self, params: object) -> str:
        """The distance that `auto` is."""
        assert isinstance(params, GeneratorParams)
        return distance_fingerprint(params.perceptual)

    def reads(self, params: object) -> list[str]:
        """The backbone of LPIPS, where that is the distance."""
        assert isinstance(params, GeneratorParams)
        return distance_files(params.perceptual)

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """A size that StyleGAN2 does not make; an encoder with too many levels; LPIPS without its backbone."""
        assert isinstance(params, GeneratorParams)
        data = given.trained_on or DataFacts()
        if params.size and data.shape and data.shape[1] == data.shape[2]:  # the networks see reduced images
            data = evolve(data, shape=(data.shape[0], *2 * (min(params.size, data.shape[1]),)))
        wrong = list(size_mistakes(data, params.shuffle, params.widths))
        yield from wrong
        side = data.shape[1] // params.shuffle if data.shape and not wrong else None
        if side is not None and side < 2 ** (len(params.encoder_widths) - 1):
            message = f"{len(params.encoder_widths)} widths halve the images more often than {side} pixels allow"
            yield Mistake(message, "name fewer widths", "encoder_widths")
        if params.perceptual == "lpips":
            yield from lpips_mistakes("perceptual")


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """A StyleGAN2 with an encoder, trained with the classifier."""
    yield StylExDescriptor(
        name="generator",
        summary="StyleGAN2 with an encoder, trained so that reconstructions keep the classifier's answers.",
        params=GeneratorParams,
        factory="sidelight_stylex.generator:StylEx",
        needs=(Need("classifier", capabilities=("differentiable", "classes")),),
        provides=("trainable", "differentiable", "encoder", "latent.w", "latent.style"),
        follows_data=True,
        example={
            "steps": 6,
            "batch": 4,
            "autoencoder": 0.5,
            "base": 64,
            "widest": 4,
            "encoder_widths": (4, 4, 4),
            "latent": 4,
            "perceptual": "none",
        },
        paper=f"{PAPER}, sections 3.1 and 3.2",
    )


@hookimpl
def sidelight_inverters() -> Iterable[InverterDescriptor]:
    """The generator's own encoder."""
    yield InverterDescriptor(
        name="encoder",
        summary="One pass of the generator's encoder, with the classifier's answer in w.",
        params=EncoderParams,
        factory="sidelight_stylex.generator:Encoder",
        needs=(Need("generator", capabilities=("encoder",)),),
        paper=f"{PAPER}, section 3.1",
    )


_STYLED = (
    Need("classifier", capabilities=("classes",)),
    Need("generator", capabilities=("latent.style",)),
)
_SEARCHED = (
    Need("classifier"),
    Need("generator", capabilities=("latent.style",)),
    Need("data", optional=True),
    Need("inverter", optional=True),
)


@frozen(kw_only=True)
class AttFindDescriptor(DrawingFinderDescriptor):
    """AttFind, some of whose options belong to one rule."""

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Options of the notebook's rule with another, or of modes that do or do not measure every coordinate."""
        assert isinstance(params, AttFindParams)
        yield from super().mistakes(params)
        for option in ("unstable", "realness"):
            if getattr(params, option) is not None and params.rule != "released":
                yield Mistake(f"{option} is an option of the authors' notebook", "set rule: released", option)
        if params.certificate and params.mode == "exact":
            yield Mistake("mode: exact leaves no coordinate out to certify", "set mode: screened", "certificate")
        if params.unstable is not None and params.mode != "exact":
            message = f"unstable counts over all coordinates, and mode: {params.mode} measures some"
            yield Mistake(message, "set mode: exact", "unstable")


@hookimpl
def sidelight_attribute_finders() -> Iterable[DrawingFinderDescriptor]:
    """Finders of style coordinates."""
    yield AttFindDescriptor(
        name="attfind",
        summary="The style coordinates that, set to their extremes, raise a class most (AttFind).",
        params=AttFindParams,
        factory="sidelight_stylex.attfind.attfind:AttFind",
        needs=_SEARCHED,
        provides=("coordinates", "maps"),
        example={"attributes": 3, "examples": 2, "frames": 3, "reference": 24, "batch": 8},
        paper=f"{PAPER}, section 3.3",
        limits=(
            DRAWABLE,
            NAMELESS,
            "Finds only what single style coordinates separate: of a planted background there was none, and the "
            "first attribute dyed the whole picture (one training; Sidelight's docs, stylex).",
            "Effects are the largest of many on the images of the search: other images show less.",
        ),
    )
    yield DrawingFinderDescriptor(
        name="stylespace-difference",
        summary="The baseline: style coordinates whose values differ most between a class and all others.",
        params=DifferenceParams,
        factory="sidelight_stylex.attfind.stylespace_baseline:StylespaceDifference",
        needs=_SEARCHED,
        provides=("coordinates",),
        example={
            "latents": "samples",
            "samples": 12,
            "attributes": 3,
            "examples": 2,
            "frames": 3,
            "reference": 24,
            "batch": 8,
        },
        paper=f"Wu et al. 2021, StyleSpace Analysis; {PAPER}, section 4.2.1",
        limits=(
            DRAWABLE,
            NAMELESS,
            "Coordinates that differ between classes need not move the classifier (Lang et al. 2021, section "
            "4.2.3, table 3; measured in Sidelight's docs, stylex).",
        ),
    )


_POOLED = (*_STYLED, Need("inverter"), Need("data"), Need("attribute_finder", capabilities=("coordinates",)))


@hookimpl
def sidelight_explainers() -> Iterable[ExplainerDescriptor]:
    """Explanations of single images by attributes."""
    yield ExplainerDescriptor(
        name="independent",
        summary="The attributes that raise the probe class most on this image, each changed alone.",
        params=IndependentParams,
        factory="sidelight_stylex.explainers:Independent",
        needs=_POOLED,
        gives="image-attributes",
        answers="probe",
        example={"top": 2, "pool": 12},
        paper=f"{PAPER}, section 3.4",
        limits=(
            DRAWABLE,
            NOT_THE_WORLD,
            "Each attribute is changed alone: what only several do together is not shown (Lang et al. 2021, "
            "section 3.4).",
            "Changes the generator's reconstruction, which may lie nearer to the boundary than the image "
            "(Sidelight's docs, stylex).",
        ),
    )
    yield ExplainerDescriptor(
        name="subset",
        summary="The attributes that, changed together, turn this image into the probe class.",
        params=SubsetParams,
        factory="sidelight_stylex.explainers:Subset",
        needs=_POOLED,
        gives="counterfactual",
        answers="contrast",
        example={"most": 4, "pool": 12},
        paper=f"{PAPER}, section 3.4",
        limits=(
            DRAWABLE,
            NOT_THE_WORLD,
            "A greedy search (Lang et al. 2021, section 3.4): a smaller or other set may turn the image as well.",
            "Of ten digits another classifier follows on two thirds: part of a change is a quirk of the explained"
            " one (Sidelight's docs, stylex).",
        ),
    )
