"""Compatibility of the components of a recipe: classes, images, latents and kinds of results.

Most of it is compared by facts that follow from parameters alone. The statements about facts stand in
`sidelight_specs.facts`; here they are asked for and worded. A fact that is not known is passed over.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from attrs import evolve
from sidelight_specs import MetricDescriptor
from sidelight_specs.facts import (
    ClassifierFacts,
    DataFacts,
    GeneratorFacts,
    Given,
    default_split,
    explains_all,
    no_common_class,
    shape_text,
    unasked_number,
    unlearnable,
    wrong_choice,
    wrong_images,
    wrong_question,
)
from sidelight_specs.roles import ROLES
from sidelight_specs.wording import listing, quoted

from sidelight.recipe.model import facts_of
from sidelight.recipe.wiring import installed_hint
from sidelight.registry.catalog import with_article

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sidelight_specs import Need
    from sidelight_specs.facts import Shape

    from sidelight.recipe.model import Candidate, Recipe, ResolvedComponent

_GIVEN = {name: role.gives for name, role in ROLES.items() if role.verb in ("find", "invert")}
"""Kinds that components other than explainers give for a metric to measure."""
_EXCLUSIVE = (
    ("indices", "labels"),
    ("indices", "choose"),
    ("indices", "images"),
    ("images", "labels"),
    ("images", "choose"),
)
"""Keys of `explain` that cannot stand together."""


def fit_data(recipe: Recipe) -> None:
    """Fill in the parameters of data that follow the classifier; of what it learns from they have to be given."""
    classifier = recipe.classifier
    is_known = classifier is not None and classifier.sound
    learned = _sources(classifier) if classifier else set()
    for one in sorted(recipe.of_role("data"), key=lambda one: one not in learned):  # its facts may follow those learned
        facts = ClassifierFacts() if one in learned else facts_of(classifier, ClassifierFacts)

        def fitted(descriptor: Any, params: Any, facts: ClassifierFacts = facts) -> Any:
            answer = descriptor.fitted(params, facts)
            if not isinstance(answer, descriptor.params):
                raise TypeError(f"{descriptor.params.__name__} were expected, not a {type(answer).__name__}")
            return answer

        one.params = one.ask("fit to the classifier", fitted) or one.params
        if not is_known and facts_of(one, DataFacts).shape is None:
            one.sound = False  # the mistake in the classifier comes first


def _sources(one: Candidate) -> set[Candidate]:
    """Data that a component, or what it needs, is trained on."""
    direct = {other for other in (*one.needs.values(), one.trained_on) if other is not None and other is not one}
    return {other for other in direct if other.role == "data"}.union(*map(_sources, direct))


def choose_split(recipe: Recipe) -> None:
    """Fill in the explained split and the number of images where the recipe leaves them to the data."""
    data, explain = facts_of(recipe.data, DataFacts), cast("Any", recipe.explain)
    is_learned = _is_learned(recipe)
    if explain.split is None:
        explain = evolve(explain, split=default_split(data, is_learned=is_learned))
    is_all = explains_all(data, explain.split, is_learned=is_learned)
    if is_all and not {"count", "choose"} & recipe.explain_items.keys():
        explain = evolve(explain, count=None)
    recipe.explain = explain


def _is_learned(recipe: Recipe) -> bool:
    """True if something is trained on the data whose images are explained."""
    return any(one.trained_on is recipe.data for one in recipe.components)


def compare_facts(recipe: Recipe) -> None:
    """Note every misfit that shows in the facts of the components."""
    data, classifier = facts_of(recipe.data, DataFacts), facts_of(recipe.classifier, ClassifierFacts)
    explain, split = recipe.explain, str(recipe.explain.split)
    images = wrong_images(data, split, explain.indices, explain.labels, explain.images)
    chosen = wrong_choice(data, classifier, explain.choose)
    for mistake in chain(images, chosen, wrong_question(classifier, explain.target, explain.targets, data)):
        message = f"explain.{mistake.option}: {mistake.message}"
        recipe.problems.add(message, recipe.place_of(mistake.option), fix=mistake.fix)
    if recipe.classifier:
        recipe.classifier.note(no_common_class(data, classifier))
    chosen_otherwise = {"count", "images", "indices", "choose"} & recipe.explain_items.keys()
    if recipe.data and not _is_learned(recipe) and not chosen_otherwise:
        recipe.data.note(unasked_number(data, split, explain.count))
    for one in recipe.components:
        _has_latents(recipe, one)
        _compare_images(recipe, one)
        teacher = one.trained_on
        if teacher is None or not one.note(unlearnable(facts_of(teacher, DataFacts), teacher.use)):
            _note_misfits(recipe, one)
    _is_shown(recipe, recipe.classifier, recipe.data)


def _has_latents(recipe: Recipe, one: Candidate) -> None:
    """An attribute finder without latents of its own, and without samples, works on inverted images."""
    if one.role != "attribute_finder" or one.provides is None or {"latents", "samples"} & set(one.provides):
        return
    if not one.needed("inverter") and not recipe.of_role("inverter"):
        message = f"{one.use} finds attributes in the latents of the explained images, and the recipe has no inverter"
        draws = one.ask("capabilities", lambda descriptor, params: descriptor.absence(params, "samples")) or ""
        fix = "; or ".join(filter(None, (installed_hint(recipe.catalog, "inverter"), draws)))
        one.refuse(message, expected='a section "inverter"', fix=fix)


def _compare_images(recipe: Recipe, one: Candidate) -> None:
    """The images that a component hands from one of its needs to another."""
    classifier, generator = one.needed("classifier"), one.needed("generator")
    if one.role in ("explainer", "metric"):
        _is_shown(recipe, classifier, recipe.data)
    _is_shown(recipe, classifier, one.trained_on)
    made = facts_of(generator, GeneratorFacts).shape
    if generator is None or made is None:
        return
    explained = facts_of(recipe.data, DataFacts).shape
    if one is recipe.main_inverter and explained and explained != made:
        message = f"{one.use} inverts none of the explained images: they have {shape_text(explained)}, "
        fix = "use a generator of such images"
        recipe.problems.warn(f"{message}{generator.use} makes {shape_text(made)}", one.place, fix=fix)
    sources = [one.needed("data"), recipe.data if one.role == "explainer" else None]
    inverted = sources if one.needed("inverter") else []  # it has these inverted, and shows new images
    shapes = {data: facts_of(data, DataFacts).shape for data in inverted if data}
    misfits = {data: shape for data, shape in shapes.items() if shape and shape != made}
    for data, shape in misfits.items():
        message = f"{one.use} inverts images of {shape_text(shape)} from {data.use}, and {generator.use} makes "
        expected, fix = "a generator and data of one shape", _remedy(data, made)
        one.refuse(message + shape_text(made), expected=expected, fix=fix)
    if not misfits:
        _is_shown(recipe, classifier, generator)


def _is_shown(recipe: Recipe, classifier: Candidate | None, source: Candidate | None) -> None:
    """Images of data or of a generator, and a classifier that is shown them."""
    if classifier is None or source is None:
        return
    facts, made = facts_of(classifier, ClassifierFacts), getattr(source.facts, "shape", None)
    misfit, shape = facts.misfit(made), facts.shape
    if shape is None or made is None or not misfit:
        return
    if misfit != "enlarged":
        classifier.refuse(
            f"{classifier.use} takes images of {shape_text(shape)}, {source.use} gives {shape_text(made)}",
            expected="the same channels" + ("" if facts.resizes else ", height and width"),
            fix=_remedy(source, shape),
        )
    elif source is recipe.data:
        message = f"images of {made[1]}x{made[2]} are enlarged to the {shape[1]}x{shape[2]} of {classifier.use}"
        recipe.problems.warn(message, source.place_of("size"), fix=_remedy(source, shape))


def _remedy(source: Candidate, shape: Shape) -> str:
    """Instruction that makes a source give images of a shape: the channels first."""
    channels, height, width = shape
    if getattr(source.facts, "shape", shape)[0] != channels:
        if hasattr(source.params, "mode"):
            return f"set mode: {'rgb' if channels == 3 else 'grey'} in the `with:` of {source.use}"
        return "use data that fits: grey images for one channel, colour images for three"
    if height == width and hasattr(source.params, "size"):
        return f"set size: {height} in the `with:` of {source.use}"
    return f"give images of {height}x{width}"


def _note_misfits(recipe: Recipe, one: Candidate) -> None:
    """Mistakes that the component itself sees in its parameters, beside all that it gets."""
    if not one.sound:
        return
    filled = {slot: other for slot, other in one.needs.items() if other is not None}
    given = Given(
        explained=facts_of(recipe.data, DataFacts),
        classifier=facts_of(recipe.classifier, ClassifierFacts),
        needs={slot: facts for slot, other in filled.items() if (facts := other.facts) is not None},
        params={slot: other.params for slot, other in filled.items() if other.params is not None},
        provides={slot: other.provides for slot, other in filled.items() if other.provides is not None},
        trained_on=facts_of(one.trained_on, DataFacts) if one.trained_on else None,
    )
    one.inspect("misfits", lambda descriptor, params: descriptor.misfits(params, given))


def check_combination(recipe: Recipe) -> None:
    """Note what the components of a recipe rule out together, whatever their facts."""
    explain, items = recipe.explain, recipe.explain_items
    for first, second in _EXCLUSIVE:
        is_given = all(getattr(explain, key) not in ((), "first") for key in (first, second))
        if is_given and second in items:
            message = f"explain: {first} and {second} exclude each other"
            recipe.problems.add(message, items[second].key_place, fix="take one of them out")
    inverters = recipe.of_role("inverter")
    if inverters and not recipe.main_inverter:
        recipe.problems.add(
            f"the recipe has several inverters: {listing(one.id for one in inverters)}",
            inverters[0].start,
            expected="the id inverter for the one that inverts the explained images; needs may name the others",
        )
    _metrics_measure_something(recipe)
    for one in recipe.components:
        own = one.needs.get("generator")
        images_alone = {need.slot for need in _needs(one) if need.role == "data" and not need.capabilities}
        for slot, other in one.needs.items():
            # a generator may draw with another one, its latents are its own all the same; drawn data are images to
            # whoever asks no more of them
            is_asked = other and other is not own and slot not in images_alone
            theirs = other.needs.get("generator") if other and is_asked else None
            if own and theirs and own is not theirs:  # the latents of another generator mean nothing to it
                one.refuse(
                    f"{one.use} gets the generator {quoted(own.id)}, "
                    f"but its {slot} uses the latents of {quoted(theirs.id)}",
                    expected=f"one generator for both: needs: {{generator: ID}} here or in {with_article(slot)}",
                )


def _needs(one: Candidate) -> tuple[Need, ...]:
    return one.descriptor.needs if one.descriptor else ()


def _metrics_measure_something(recipe: Recipe) -> None:
    """Every metric accepts the kind of at least one explanation of the recipe."""
    if any(one.descriptor is None for one in recipe.of_role("explainer")):
        return
    given = {kind_given(one) for one in recipe.components} - {""}
    for metric in recipe.components:
        descriptor = metric.descriptor
        if isinstance(descriptor, MetricDescriptor) and not given.intersection(descriptor.accepts):
            metric.refuse(
                f"{metric.use} has nothing to measure: it accepts {listing(descriptor.accepts)}, "
                f"the recipe gives {listing(sorted(given)) or 'no explanation'}",
                fix="add an explainer that gives one of these, or take the metric out",
            )


def kind_given(one: Candidate | ResolvedComponent) -> str:
    """The kind of what a component gives for a metric to measure; empty for none."""
    return str(getattr(one.descriptor, "gives", "") or _GIVEN.get(one.role, ""))


def warn_of_idle_metrics(recipe: Recipe, built: Mapping[Candidate, ResolvedComponent]) -> None:
    """Warn of metrics that pass over everything of their kind, which was made with another generator than theirs."""
    for candidate, metric in built.items():
        accepts = getattr(metric.descriptor, "accepts", ())
        subjects = [one for one in built.values() if kind_given(one) in accepts]
        if subjects and all(metric.has_other_generator(one) for one in subjects):
            recipe.problems.warn(
                f"{metric.use} measures nothing: {listing(one.use for one in subjects)} used another generator",
                candidate.place,
                fix="name it with needs: {generator: ID}",
            )
