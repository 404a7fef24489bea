"""Descriptors: everything the kernel knows of a component before it imports the component's heavy module."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, min_len

from sidelight_specs import kinds
from sidelight_specs.facts import ClassifierFacts, DataFacts, GeneratorFacts, Given, Mistake, Reference
from sidelight_specs.params import NoParams, describe
from sidelight_specs.role_table import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidelight_specs.live import Adoption

Answers = Literal["predicted", "probe", "contrast", "any"]
"""Side of the question that is answered: why the predicted class, why (not) the probe, or one against the other.

`any` is for explanations that are the same whichever class is asked about, such as attention rollout.
"""

CAPABILITIES = {
    "differentiable": "gradients flow from what the component gives back to what it gets",
    "activations": "`watch(layers)` gives the activations of named layers",
    "attention": "tokens of the image are mixed by softmax self-attention alone, as in ViT and Swin",
    "module": "`module` is a torch module from images in [0, 1] to scores",
    "classes": "scores are class logits, so that two classes can be contrasted",
    "trainable": "`fit`, `state` and `load_state`",
    "latent.z": "`synthesize` takes z of shape (N, k)",
    "latent.w": "`synthesize` takes w of shape (N, layers, d), one vector for each layer",
    "latent.style": "`styles` and `synthesize_styles` expose the style space",
    "encoder": "`encode(images)` gives latents in one forward pass",
    "spaces": "`invert_into(images, space)` inverts into `w`, one for all layers, or `w+`, one each",
    "latents": "the attribute finder has latents of its own, by `latents(images)` and `logits(latents)`",
    "samples": "the attribute finder works on latents that it draws from its generator, by `samples()`",
    "coordinates": "the attributes that the finder gives are coordinates of the generator's style space",
    "factors.render": "`render(factors)` draws the data's images anew from their ground-truth factors",
    "serves": "the renderer serves a live page",
    "isolated": "units of work run in other processes, so that one which ends its process costs no other",
    "maps": "cuts its work into pieces by `run.map`, so that a run with workers asks it in its own process",
}
"""The capabilities that first-party components use. A plugin may add its own, prefixed with its name: `acme.depth`.

The kind that an explainer gives is a capability of it as well.
"""


def _is_identifier(_: Any, attribute: Any, value: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*([-+][a-z0-9+]*)*", value):
        raise ValueError(f"{attribute.name} must be lower-case words joined by hyphens, got {value!r}")


def meaning(capability: str) -> str:
    """A capability in words; kinds of explanations are capabilities too, and a plugin may have its own."""
    if capability in CAPABILITIES:
        return CAPABILITIES[capability]
    known = capability in kinds.names()
    return f"explanations of the kind {capability}" if known else "a capability of its own"


def _is_kind(_: Any, attribute: Any, value: str) -> None:
    if not kinds.NAME.fullmatch(value):
        raise ValueError(f"{attribute.name} must name a kind of result, lower case, such as acme.depth, got {value!r}")


def _is_factory(_: Any, attribute: Any, value: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise ValueError(f"{attribute.name} must read 'module:Class', got {value!r}")


def _is_params(_: Any, attribute: Any, value: type) -> None:
    describe(value)  # raises a TypeError that names the field at fault


def _is_card(_: Any, attribute: Any, value: Any) -> None:
    is_dict = isinstance(value, dict)
    if not is_dict or not all(isinstance(text, str) and text.strip() for pair in value.items() for text in pair):
        raise ValueError(f"{attribute.name} must map headings to texts, none empty, got {value!r}")


def _are_sentences(_: Any, attribute: Any, value: Any) -> None:
    for text in (value,) if isinstance(value, str) else value:
        if isinstance(value, str) or not isinstance(text, str) or not text.strip() or "\n" in text:
            raise ValueError(f"{attribute.name} must be sentences, each one line of text, got {value!r}")


def _sentences(items: Any) -> Any:
    return items if isinstance(items, str) else tuple(items)  # a text alone would become its letters


def _names(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(items)


def _needs(items: Iterable[Need]) -> tuple[Need, ...]:
    return tuple(items)


@frozen
class Need:
    """One constructor argument that the kernel fills with another component of the recipe.

    Args:
        slot: the keyword argument's name; it is also the role unless `role` says otherwise.
        role: the role of the component that fills it.
        capabilities: what that component must provide.
        optional: give `None` when the recipe has no such component.
        named: an optional need that is filled only where the recipe's `needs` names a component for it.
        factory: give `build(classifier) -> component` in the place of the component: the recipe's component, with its
            parameters and its other needs, built for another classifier. For methods that explain a part of a
            classifier with a method that the user names. Nothing that the component has learned is taken along.
    """

    slot: str
    role: str = field()
    capabilities: tuple[str, ...] = field(default=(), converter=_names)
    optional: bool = False
    factory: bool = False
    named: bool = field(default=False)

    @role.default
    def _same_as_slot(self) -> str:
        return self.slot

    @role.validator
    def _is_role(self, _: Any, value: str) -> None:
        if value not in ROLES:
            raise ValueError(f"need {self.slot!r}: role must be one of {', '.join(ROLES)}, got {value!r}")

    @named.validator
    def _can_be_empty(self, _: Any, value: bool) -> None:
        if value and not self.optional:
            raise ValueError(f"need {self.slot!r}: what only a name fills is optional, so that it may be empty")


@frozen
class Suggestion:
    """Use of a component by `sidelight explain` where the user names none of its role.

    Args:
        order: place among those that are suggested, lowest first.
        having: capabilities of the classifier with which alone it is suggested, beyond those that it needs.
        lacking: capabilities of the classifier with which it is not suggested.
    """

    order: int
    having: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    def fits(self, provides: Iterable[str]) -> bool:
        """True for a classifier with these capabilities."""
        given = set(provides)
        return given >= set(self.having) and not given & set(self.lacking)


@frozen(kw_only=True)
class ComponentDescriptor:
    """Facts that every component announces.

    Args:
        name: the component's name in a recipe, after the slash: lower case, hyphens.
        summary: one sentence for a listing.
        params: an attrs class made by `sidelight_specs.params`.
        factory: `"module:Class"`, imported only when the component is built.
        needs: components that it gets, by slot.
        provides: capabilities that it offers whatever its parameters.
        example: a small valid set of parameters, with which the conformance kit runs it in seconds.
        paper: the publication it follows.
        limits: sentences on what may not be claimed of its results, each with its source: a paper or a measurement.
        suggested: whether `sidelight explain` uses it unasked.
        card: model card of weights that others trained, heading to text: origin, licence, training data, limits.
        connects: parameter that names a server or a cluster to the environment variable that names the user's own:
            `{"tracking_uri": "MLFLOW_TRACKING_URI"}`. A recipe that names another machine there is refused unless the
            user has set the variable to it, or the parameter by `--set`.
    """

    role: ClassVar[str]
    adopts_any: ClassVar[bool] = False
    """`adopts` takes anything of a kind (any module, any array): it is asked only where no other one takes a value."""

    name: str = field(validator=_is_identifier)
    summary: str = field()
    params: type = field(default=NoParams, validator=_is_params)
    factory: str = field(validator=_is_factory)
    needs: tuple[Need, ...] = field(default=(), converter=_needs)
    provides: tuple[str, ...] = field(default=(), converter=_names)
    example: dict[str, Any] = field(factory=dict)
    paper: str = ""
    limits: tuple[str, ...] = field(default=(), converter=_sentences, validator=_are_sentences)
    suggested: Suggestion | None = None
    card: dict[str, str] = field(factory=dict, validator=_is_card)
    connects: dict[str, str] = field(factory=dict, validator=_is_card)

    @summary.validator
    def _is_sentence(self, _: Any, value: str) -> None:
        if not value.strip() or "\n" in value:
            raise ValueError(f"{self.name}: summary must be one line of text")

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Capabilities whatever its parameters: `provides`, and for an explainer also the kind that it gives."""
        return self.provides

    def provided_by(self, params: object) -> tuple[str, ...]:
        """The capabilities of a component with these parameters.

        A descriptor whose capabilities depend on its parameters (a file that may be differentiable or not)
        subclasses and overrides this; nothing may be loaded here.
        """
        del params
        return self.capabilities

    def fingerprint(self, params: object) -> str:
        """Text of whatever a component's answers depend on beside its parameters, its needs and its code.

        A descriptor whose component reads a file that its parameters name (a model) overrides this; size and time of
        change are enough. Stored results are no longer used when it changes. Data says it itself, by
        `roles.Data.fingerprint`, which counts as well.
        """
        del params
        return ""

    def files(self, params: object) -> Mapping[str, str]:
        """Parameter to the path of the file or folder that has to exist for it; empty paths do not count."""
        del params
        return {}

    def reads(self, params: object) -> Iterable[str]:
        """Paths of the files and folders whose content its answers depend on; a lock records their digests.

        By default those of `files` that a parameter names. A descriptor whose component finds further ones, or reads
        them without `files`, overrides this; files of an installed distribution do not count, which is locked itself.
        """
        return [path for path in self.files(params).values() if path]

    def mistakes(self, params: object) -> Iterable[Mistake]:
        """Mistakes in the parameters alone: names that exclude each other, files of the wrong kind, missing packages.

        Called before any run, and only where `files` exist; nothing may be loaded here.
        """
        del params
        return ()

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """Mistakes in the parameters beside what the component gets: a split that its data lacks, a window too large.

        A fact that is None is not known, and nothing follows from it.
        """
        del params, given
        return ()

    def adopts(self, value: object, **hints: Any) -> Adoption | None:
        """Parameters of a component that stands for a value which a user gives in its place; None for others.

        Called for `classifier: model` in a recipe given as a dict, and for arguments of `sidelight explain`. Only the
        value's type, or its text, decides; nothing heavy is imported that the value has not brought.

        Args:
            value: a live object such as a torch module or an array, or a text such as a path.
            hints: further options that the user gave; those that are parameters are set by the caller.

        Raises:
            UserError: it is a value of this component's, and cannot be used as it is.
        """
        del value, hints
        return None

    def absence(self, params: object, capability: str) -> str:
        """Reason and remedy where these parameters cost the component a capability; empty where it never has it."""
        del params, capability
        return ""


@frozen(kw_only=True)
class DataDescriptor(ComponentDescriptor):
    """Describes a `roles.Data`."""

    role = "data"

    def facts(self, params: object) -> DataFacts:
        """Shape, splits and class names of data with these parameters, as far as they follow from them."""
        del params
        return DataFacts()

    def fitted(self, params: Any, classifier: ClassifierFacts) -> Any:
        """The parameters, those that follow the classifier filled in: size, crop, channels.

        Called when a recipe is read; the resolved recipe holds the answer. `facts`, `misfits` and the component get it.

        Args:
            params: as the recipe has them.
            classifier: facts of the one that is explained; nothing is known where it is trained on these data.
        """
        del classifier
        return params


@frozen(kw_only=True)
class ClassifierDescriptor(ComponentDescriptor):
    """Describes a `roles.Classifier`.

    Args:
        follows_data: trained classifiers only: multi-class, with channels and class names of its training data.
    """

    role = "classifier"
    follows_data: bool = False

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """Input shape, class names and task of a classifier with these parameters, trained on such data."""
        del params
        if not self.follows_data:
            return ClassifierFacts()
        return ClassifierFacts(shape=data.shape, classes=data.classes or None, task="multiclass")

    def misfits(self, params: object, given: Given) -> Iterable[Mistake]:
        """Data to learn classes from that has fewer than two."""
        del params
        classes = given.trained_on.classes if given.trained_on and self.follows_data else None
        if classes is not None and len(classes) < 2:
            problem = f"has only the class {classes[0]}" if classes else "has no labels"
            yield Mistake(f"a classifier learns two classes or more, the data {problem}", "use data with classes")


@frozen(kw_only=True)
class GeneratorDescriptor(ComponentDescriptor):
    """Describes a `roles.Generator`.

    Args:
        follows_data: trained generators only: makes images of the shape of those that it was trained on.
    """

    role = "generator"
    follows_data: bool = False

    def facts(self, params: object, data: DataFacts) -> GeneratorFacts:
        """Shape of the images of a generator with these parameters, trained on such data."""
        del params
        return GeneratorFacts(shape=data.shape if self.follows_data else None)


@frozen(kw_only=True)
class InverterDescriptor(ComponentDescriptor):
    """Describes a `roles.Inverter`."""

    role = "inverter"


@frozen(kw_only=True)
class AttributeFinderDescriptor(ComponentDescriptor):
    """Describes a `roles.AttributeFinder`."""

    role = "attribute_finder"


@frozen(kw_only=True)
class ExplainerDescriptor(ComponentDescriptor):
    """Describes a `roles.Explainer`.

    Args:
        gives: the kind of explanation; a kind of a plugin's own is registered by the hook `sidelight_kinds`.
        answers: which side of the question it answers.
        either_side: asked again with the two sides swapped, it says what speaks for the other class, so that both are
            shown side by side where an image is misclassified. None says that heatmaps do, and other kinds do not; one
            that answers `any` never does, as it ignores the class.
    """

    role = "explainer"
    gives: str = field(validator=_is_kind)
    answers: Answers = "predicted"
    either_side: bool | None = None

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The kind of its explanations, so that another explainer can need `heatmap`, and `provides`."""
        return (self.gives, *self.provides)

    @property
    def answers_either_side(self) -> bool:
        """`either_side`, or what follows from the kind."""
        if self.answers == "any":
            return False
        return self.gives == "heatmap" if self.either_side is None else self.either_side


@frozen(kw_only=True)
class MetricDescriptor(ComponentDescriptor):
    """Describes a `roles.Metric`.

    Args:
        accepts: the kinds of explanation it measures.
        per_image: each image's numbers depend on that image alone, so that large runs are measured in parts. False for
            one that gives a number of all images together, or compares them.
    """

    role = "metric"
    per_image: bool = True
    accepts: tuple[str, ...] = field(converter=_names, validator=and_(min_len(1), deep_iterable(_is_kind)))


@frozen(kw_only=True)
class ClaimDescriptor(ComponentDescriptor):
    """Describes a `roles.Claim`.

    A recipe may hold a sentence in its place: `adopts` is then asked with the text, gives None for one that is not its
    own, and raises a `UserError` for one of its own that it cannot read.

    Args:
        sentence: an example of such a sentence; empty where it reads none.
    """

    role = "claim"
    sentence: str = ""

    def refers(self, params: object) -> Iterable[Reference]:
        """The components that a claim with these parameters names."""
        del params
        return ()


@frozen(kw_only=True)
class RendererDescriptor(ComponentDescriptor):
    """Describes a `roles.Renderer`."""

    role = "renderer"

    def surveys(self, params: object) -> int:
        """Images of the explained split of which the renderer shows the classifier's answers, at most; 0: none.

        Where the data has labels a run then asks the classifier about so many of them, drawn at random where the split
        has more, and emits `ID/predictions on SPLIT` (`SplitPredictions`, or `SplitValues` of a regression) and
        `ID/worst errors on SPLIT` (a `Split`). A descriptor that wants them overrides this; nothing may be loaded here.
        """
        del params
        return 0


@frozen(kw_only=True)
class ExecutorDescriptor(ComponentDescriptor):
    """Describes a `roles.Executor`."""

    role = "executor"
