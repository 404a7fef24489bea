"""`sidelight.explain`: a model and some images, and the recipe that the short call stands for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import finalize

from attrs import evolve, field, frozen
from sidelight_specs import UserError
from sidelight_specs.documents import to_plain
from sidelight_specs.params import describe
from sidelight_specs.problems import Problems
from sidelight_specs.recipe import USE, VERSION, plain_value
from sidelight_specs.recipe_yaml import recipe_text
from sidelight_specs.roles import ROLES, SECTIONS
from sidelight_specs.wording import did_you_mean, listing, quoted

from sidelight.engine.machine import Cancellation, arithmetic, limit_threads
from sidelight.recipe.adopt import adopt
from sidelight.recipe.compose import compose
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed

if TYPE_CHECKING:
    from sidelight_specs import ComponentDescriptor

    from sidelight.engine.results import Run
    from sidelight.recipe.model import Resolved
    from sidelight.registry.catalog import Catalog

Methods: TypeAlias = "str | Iterable[str] | Mapping[str, Any]"
"""Names (`"grad-cam"`, `"structured/igos++"`), or ids to names or to components `{use, with}`."""

_CALLED = "the recipe of this call"
_LATER = ("explainers.", "metrics.", "renderers.")  # sections that follow from what is known of the model


@frozen(kw_only=True)
class Request:
    """A short call: a model, some images, and what is asked about them.

    Args:
        model, images, methods, metrics, name, seed: as for `explain`.
        model_options: further options of the component that stands for the model.
        data_options: likewise, for the images.
        sections: further sections of components, as a recipe holds them; texts are names of components.
        question: further keys of the section `explain`.
        of: the class that is explained, whatever is predicted.
        settings: changes of the recipe, as `--set` takes them.
    """

    model: Any
    images: Any
    methods: Methods | None = None
    metrics: Methods | None = None
    model_options: Mapping[str, Any] = field(factory=dict)
    data_options: Mapping[str, Any] = field(factory=dict)
    sections: Mapping[str, Any] = field(factory=dict)
    question: Mapping[str, Any] = field(factory=dict)
    of: str | int | None = None
    settings: Sequence[str] = ()
    name: str = "explain"
    seed: int = 0

    def resolve(self, catalog: Catalog) -> Resolved:
        """The recipe that the call stands for, resolved; `written` is its short form.

        Raises:
            UserError: as for `explain`.
        """
        data, of_data = adopt("data", _plain_path(self.images), catalog, **self.data_options)
        options = {"shown": of_data.shape, **_plain_options(self.model_options)}
        classifier, of_model = adopt("classifier", _plain_path(self.model), catalog, **options)
        recipe: dict[str, Any] = {"recipe": VERSION, "name": self.name, "seed": self.seed, "data": data}
        asked = {} if self.of is None else {"target": self.of, "if_predicted": "ask"}
        whole = {"split": "all"} if of_data.params else {}  # a data set of the recipe has a split for explaining
        recipe |= {"explain": {**whole, "count": None, **asked, **self.question}, "classifier": classifier}
        held = (*of_model.live, *of_data.live)
        for section, value in self.sections.items():
            recipe[section] = _section(SECTIONS[section].name, value, catalog)
        own = [text for text in self.settings if not text.strip().startswith(_LATER)]
        known = load_recipe(recipe, set=own, catalog=catalog, held=held, called=_CALLED)  # says all mistakes so far
        if any(isinstance(label, int) for label in data["with"].get("labels", ())):
            data["with"] |= _names_of(known)
        recipe["explainers"] = _section("explainer", self.methods, catalog) or _suggested("explainer", known, catalog)
        if not recipe["explainers"]:
            raise UserError(
                "no installed method explains such a model unasked", "name one; `sidelight plugins` lists all"
            )
        if self.of is not None:
            probed = {key: _of_probe(one, catalog) for key, one in recipe["explainers"].items()}
            able = {key: one for key, one in probed.items() if one.get("with", {}).get("target")}
            recipe["explainers"] = probed if self.methods else able or probed  # others explain the predicted class
        recipe["metrics"] = _section("metric", self.metrics, catalog)
        recipe.setdefault("renderers", _suggested("renderer", known, catalog))
        recipe = {key: value for key, value in recipe.items() if value != {}}
        written = plain_value(to_plain(compose(recipe, self.settings, (), Problems(), _CALLED)))
        # settings are in it already; given once more, they count as the user's own
        resolved = load_recipe(written, set=self.settings, catalog=catalog, held=held, called=_CALLED)
        return evolve(resolved, assumed=(*of_model.warnings, *of_data.warnings), written=written)


def explain(
    model: Any,
    images: Any,
    methods: Methods | None = None,
    *,
    labels: Any = None,
    target: str | int | None = None,
    of: str | int | None = None,
    choose: str | Mapping[str, Sequence[str]] | None = None,
    count: int | None = None,
    metrics: Methods | None = None,
    classes: Any = None,
    task: str | None = None,
    size: int | tuple[int, int] | None = None,
    mean: Any = None,
    std: Any = None,
    preprocess: Any = None,
    name: str = "explain",
    seed: int = 0,
    out: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    tf32: bool = False,
    compile: bool = False,
    progress: bool = True,
    cancellation: Cancellation | None = None,
    check: bool = True,
    set: str | Sequence[str] = (),
    save_recipe: str | Path | None = None,
    **sections: Any,
) -> Run:
    """Explain what a model sees in some images; `run.recipe` is the recipe that this call stands for.

    ```python
    run = sidelight.explain(model, "photos/*.jpg")
    run["grad-cam"].values            # (N, H, W)
    run.save("runs/mine")
    ```

    Args:
        model: a torch module, whose gradients and layers are used; a function from images (N, C, H, W) in [0, 1] to
            scores, which stays a black box; the path of a model file; or `"SOURCE:NAME"`, such as `"timm:resnet18"`.
            It is explained in evaluation mode and left as it is.
        images: a tensor or array (N, C, H, W) or (N, H, W, C), floats in [0, 1] or uint8; PIL images; paths, globs, a
            folder; or one of these alone. They come before the model's normalisation. A component of the role data,
            by its name or as `{use, with}`, has a split to train a generator on.
        methods: explainers by name, or ids to components; when None those that fit what the model offers.
        labels: the true classes, by name or index.
        target: the class asked about, as in a recipe's `explain` section: why not this one?
        of: the class that heatmaps explain, for every image, whatever is predicted.
        choose: which images, as in a recipe's `explain` section: `errors`, `confident-errors`, `lowest-margin`,
            `{"confused": [A, B]}`.
        count: how many images, from the first of these; all when None.
        metrics: as `methods`; none when None.
        classes: class names in the order of the scores; read from the model where it has them.
        task: `multiclass`, `binary` (one logit) or `regression`; needed where the model gives one score.
        size: height and width that the model takes; read from the model, or from images in memory.
        mean: of the model's normalisation, for each channel; read from the model where it says it.
        std: likewise, the divisor.
        preprocess: the object that prepares images for the model (a preset of torchvision, an image processor of
            transformers), of which size, mean and std are read.
        name: of the run and its recipe.
        seed: of all random streams.
        out: the run's folder; a temporary one, which goes with the run, when None.
        device: as for `sidelight.run`.
        threads: as for `sidelight.run`.
        tf32: likewise.
        compile: likewise.
        progress: True to show it on the standard error stream.
        cancellation: lets another thread ask the run to stop.
        check: as for `sidelight.run`; where methods were chosen for the user, those that fail are warnings of the run
            as long as another one works.
        set: changes of the recipe, as for `sidelight.run`.
        save_recipe: a file that gets the recipe that the call stands for, before it is run.
        sections: further sections of the recipe, such as `generator="cdeepex/vae"`, and options of the component that
            stands for the model.

    Raises:
        UserError: model, images or a method cannot be used as they are; the fix says what to give.
        SidelightError: a component failed.
        Cancelled: the user asked to stop.
    """
    limit_threads(threads)

    from sidelight.engine.pipeline import execute

    began = perf_counter()
    hints = {"classes": classes, "task": task, "size": size, "mean": mean, "std": std, "preprocess": preprocess}
    question = {"target": target, "choose": choose, "count": count}
    request = Request(
        model=model,
        images=images,
        methods=methods,
        metrics=metrics,
        model_options=hints | {key: value for key, value in sections.items() if key not in SECTIONS},
        data_options={"labels": labels},
        sections={key: value for key, value in sections.items() if key in SECTIONS},
        question={key: value for key, value in question.items() if value is not None},
        of=of,
        settings=[set] if isinstance(set, str) else set,
        name=name,
        seed=seed,
    )
    resolved = request.resolve(installed())
    if save_recipe is not None:
        _write(recipe_text(resolved.written), Path(save_recipe))
    temporary = Path(tempfile.mkdtemp(prefix="sidelight-")) if out is None else None
    folder = Path(out) if temporary is None else temporary / resolved.name  # type: ignore[arg-type]
    try:
        with arithmetic(tf32=tf32, compile=compile):
            finished = execute(resolved, folder, device, progress=progress, cancellation=cancellation, began=began)
    except BaseException:
        shutil.rmtree(temporary or "", ignore_errors=True)
        raise
    if temporary is not None:
        finalize(finished, shutil.rmtree, temporary, ignore_errors=True)
    if check and (methods is not None or not finished.results.explanations):
        finished.check()
    return finished


def _names_of(known: Resolved) -> dict[str, Any]:
    """Class names of the classifier, which labels given as indices refer to; nothing where they are not known yet."""
    descriptor: Any = known.classifier.descriptor
    names = descriptor.facts(known.classifier.params, known.facts).classes
    return {"classes": list(names)} if names else {}


def _write(text: str, path: Path) -> None:
    try:
        path.expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}", "name another file") from error


def _of_probe(component: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """A component that explains the class asked about, where it has the choice and the user made none."""
    options = {
        option.name: option for option in describe(catalog.lookup(component["use"], "explainer").descriptor.params)
    }
    given = component.get("with", {})
    if "target" in given or "target" not in options or not options["target"].type.fits("probe"):
        return component
    return {**component, "with": {**given, "target": "probe"}}


def _plain_path(value: Any) -> Any:
    """Texts for paths, also in a list."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain_path(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as components have them: height and width for a size, lists for names and for numbers of channels."""
    plain = dict(options)
    size = plain.pop("size", None)
    if size is not None:
        sides = (size,) * 2 if isinstance(size, (int, str)) else tuple(size)
        if len(sides) != 2 or not all(isinstance(side, int) for side in sides):
            raise UserError(f"size: {size!r} is no height and width", "give one number, or (height, width)")
        plain["height"], plain["width"] = sides
    for name in ("mean", "std", "classes"):
        value = plain.get(name)
        if value is not None:
            value = value.tolist() if hasattr(value, "tolist") else value
            plain[name] = [value] if isinstance(value, (int, float, str)) else list(value)
    return plain


def _section(role: str, given: Any, catalog: Catalog) -> dict[str, Any]:
    """Components of a role, by ids, from names, components, or a mapping of ids to either."""
    if given is None:
        return {}
    if isinstance(given, Mapping) and "use" in given:
        return dict(given)
    if isinstance(given, str) and not ROLES[role].section.endswith("s"):
        return {"use": find(given, role, catalog)}
    if not isinstance(given, Mapping):
        given = _identified([given] if isinstance(given, str) else list(given))
    section: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, str):
            section[key] = {"use": find(value, role, catalog)}
        elif value is None or (isinstance(value, Mapping) and "use" not in value):  # options of the method of that name
            section[key.replace("/", "-")] = {"use": find(key, role, catalog), "with": dict(value or {})}
        else:
            section[key] = value
    return section


def _identified(names: Sequence[str]) -> dict[str, str]:
    """Ids to names: the part after the plugin, where two have the same one with the plugin before it."""
    ends = Counter(name.rpartition("/")[2] for name in dict.fromkeys(names))
    return {name.replace("/", "-") if ends[end := name.rpartition("/")[2]] > 1 else end: name for name in names}


def find(name: str, role: str, catalog: Catalog) -> str:
    """The `PLUGIN/COMPONENT` that a name means, with or without its plugin.

    Raises:
        UserError: there is none, or several plugins have one of that name and none of these is suggested.
    """
    if USE.fullmatch(name):
        return name
    entries = [entry for entry in catalog.entries(role) if entry.name == name]
    if len(entries) > 1:
        entries = [entry for entry in entries if catalog.lookup(entry.use, role).descriptor.suggested] or entries
    if len(entries) == 1:
        return entries[0].use
    if entries:
        uses = [entry.use for entry in entries]
        raise UserError(f"{quoted(name)} could be any of {listing(uses)}", "write the plugin before its name")
    names = [entry.name for entry in catalog.entries(role)]
    holding = [each for each in names if name in each]
    fix = did_you_mean(name, holding or names, len(names)) or f"installed: {listing(sorted(set(names)), 30)}"
    raise UserError(f"no {ROLES[role].noun} {quoted(name)} is installed", fix)


def _suggested(role: str, known: Resolved, catalog: Catalog) -> dict[str, Any]:
    """The suggested components of a role whose needs the recipe fills."""
    provides = known.classifier.provides
    fitting = [
        (one.descriptor.suggested.order, one.use)
        for one in catalog.usable(role)
        if one.descriptor.suggested and one.descriptor.suggested.fits(provides) and _is_filled(one.descriptor, known)
    ]
    return {use.rpartition("/")[2]: {"use": use} for _, use in sorted(fitting)}


def _is_filled(descriptor: ComponentDescriptor, known: Resolved) -> bool:
    """True if the recipe has a component with the capabilities for each need."""
    return all(
        need.optional or any(set(need.capabilities) <= set(one.provides) for one in known.of_role(need.role))
        for need in descriptor.needs
    )
