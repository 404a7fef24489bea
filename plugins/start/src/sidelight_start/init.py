"""`sidelight init`: a commented recipe for the user's own model and images, and what it will take.

It looks at the folder and at what the model's descriptor tells, times a few steps of the training and a few passes of
the model, writes the recipe, has it checked, and says what to run next. What is missing on the command line is asked
where a person can answer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from sidelight_specs import UserError
from sidelight_specs.descriptors import ExplainerDescriptor
from sidelight_specs.documents import read_yaml, to_plain
from sidelight_specs.problems import Problems
from sidelight_specs.release import how_to_install

from sidelight_start.folder import look_at
from sidelight_start.models import FORMS, model_of
from sidelight_start.plan import GENERATORS, LEARNABLE, Kind, Plan, first_plan, timed_plan
from sidelight_start.recipes import duration, memory, recipe_text

if TYPE_CHECKING:
    from sidelight_specs.host import Host

    from sidelight_start.folder import Folder
    from sidelight_start.models import Model

KINDS: dict[Kind, str] = {
    "heatmaps": "which pixels the model looks at; no training",
    "counterfactuals": "each image, changed until the model would say another class; trains a small generator",
    "stylex": "the attributes that move the model, one by one; trains a large generator, for faces and the like",
}
MORE_IMAGES = 2000  # images from which a StylEx is worth its time
DESCRIPTION = f"""\
Write a commented recipe for your own model and images, say what it will take, and check it.

  heatmaps         {KINDS["heatmaps"]}
  counterfactuals  {KINDS["counterfactuals"]}
  stylex           {KINDS["stylex"]}

A few steps of the training and a few passes of your model are timed first, which takes some seconds; --no-timing
leaves that out. On a terminal, what you leave out is asked.
"""
EXAMPLES = """\
examples:
  sidelight init heatmaps --images photos --model timm:resnet18
  sidelight init counterfactuals --images photos --model model.pt2 --classes bird,mammal --size 224
  sidelight init stylex --images faces --model model.pt2 --minutes 90 --out faces.yaml

The folder holds one sub-folder of images for each class, train/ and test/ that hold these, or images alone. The model
is never trained. The recipe is a text file: read it, change it, keep it.
"""
METHODS = ("captum/grad-cam", "captum/integrated-gradients", "structured/igos++", "captum/occlusion", "captum/lime")
"""Heatmaps where no descriptor suggests itself."""
MOST_METHODS = 4
MANY_CLASSES = {"structured/igos++"}
"""Methods that hide regions until the class is gone; one of two classes often stays likely on a blurred image."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight init`."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("kind", metavar="KIND", nargs="?", choices=get_args(Kind), help=" or ".join(KINDS))
    parser.add_argument("--images", metavar="DIR", help="folder of your images")
    parser.add_argument("--model", metavar="MODEL", help=FORMS)
    parser.add_argument("--out", metavar="FILE", type=Path, help="the recipe (default: KIND.yaml)")
    parser.add_argument("--force", action="store_true", help="overwrite the recipe if it is there")
    model = parser.add_argument_group("what the model does not say itself")
    model.add_argument("--classes", metavar="NAMES", help="class names in the order of the scores: a,b,c, or a file")
    model.add_argument("--size", metavar="PIXELS", type=int, help="height and width of the model's input")
    model.add_argument("--mean", metavar="NUMBERS", help="of the model's normalisation: 0.485,0.456,0.406")
    model.add_argument("--std", metavar="NUMBERS", help="likewise: 0.229,0.224,0.225")
    model.add_argument("--task", choices=("multiclass", "binary", "regression"), help="default: multiclass")
    text = "an option of the model's component: weights=resnet.safetensors"
    model.add_argument("--option", metavar="KEY=VALUE", action="append", default=[], help=text)
    training = parser.add_argument_group("the generator")
    text = "side in pixels that it draws at (default: 64)"
    training.add_argument("--generator-size", metavar="PIXELS", type=int, help=text)
    training.add_argument("--minutes", metavar="N", type=float, default=30, help="most of its training (default: 30)")
    training.add_argument("--no-timing", action="store_true", help="estimate nothing, and cut no training")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Look, plan, time, write, check, and say what is next."""
    _complete(arguments, host)
    kind: Kind = arguments.kind
    path = arguments.out or Path(f"{kind}.yaml")
    if path.exists() and not arguments.force:
        raise UserError(f"{path} exists already", "choose another file with --out, or overwrite it with --force")
    folder = look_at(arguments.images, host)
    model = model_of(arguments.model, host, _hints(arguments, folder))
    host.write(f"images  {folder.described()}")
    host.write(f"model   {_described(model)}")
    for warning in model.warnings:
        host.write_wrapped(warning, indent=" " * 8)
    _refuse_unfit(kind, folder, model)
    plan = first_plan(kind, folder, model, arguments.generator_size)
    methods = _methods(model, host) if kind == "heatmaps" else []
    installed = {entry.use for entry in host.installed() if not entry.flaw}

    def write() -> None:
        _write(path, recipe_text(plan, path, methods, "metrics/insertion-deletion" in installed))

    write()
    try:
        host.check(path)
        if not arguments.no_timing:
            host.write("timing  a few steps, so that the estimate is one of this machine ...", error=True)
            plan = timed_plan(plan, host, arguments.minutes)
            write()
    except UserError:
        host.write(f"wrote   {path}, which cannot run yet: mend it there, or run init again with --force\n")
        raise
    first, *notes = _takes(plan, arguments.minutes)
    host.write(first)
    for note in notes:
        host.write_wrapped(note, indent=" " * 8)
    host.write(f"wrote   {path}, which is in order. Next:\n\n  sidelight run {path}")
    return 0


def _complete(arguments: argparse.Namespace, host: Host) -> None:
    """Ask for what is missing; where nobody can answer, name it.

    Raises:
        UserError: something is missing, and there is no terminal to ask on.
    """
    missing = [name for name in ("kind", "images", "model") if not getattr(arguments, name)]
    if missing and not (sys.stdin.isatty() and sys.stdout.isatty()):
        words = {"kind": f"KIND ({', '.join(KINDS)})", "images": "--images DIR", "model": f"--model MODEL ({FORMS})"}
        raise UserError(
            f"init needs {', '.join(words[name] for name in missing)}",
            "sidelight init counterfactuals --images photos --model model.pt2",
        )
    if "kind" in missing:
        for kind, text in KINDS.items():
            host.write(f"  {kind:<16} {text}")
        arguments.kind = _ask("What do you want to see?", "heatmaps", tuple(KINDS))
    if "images" in missing:
        arguments.images = _ask("The folder of your images?")
    if "model" in missing:
        arguments.model = _ask(f"Your model? ({FORMS})")


def _ask(question: str, default: str = "", choices: tuple[str, ...] = ()) -> str:
    while True:
        answer = input(f"{question} [{default}] " if default else f"{question} ").strip() or default
        if answer and (not choices or answer in choices):
            return answer
        print(f"one of {', '.join(choices)}" if choices else "it is needed")


def _hints(arguments: argparse.Namespace, folder: Folder) -> dict[str, Any]:
    """Options of the classifier's component that the user gave; for a model file also the folder's classes."""
    classes = _names(arguments.classes) if arguments.classes else None
    if classes is None and arguments.task != "regression" and ":" not in arguments.model and folder.classes:
        is_file = Path(arguments.model).expanduser().is_file()
        classes = list(folder.classes) if is_file else None
    return {
        "classes": classes,
        "task": arguments.task,
        "height": arguments.size,
        "width": arguments.size,
        "mean": _numbers(arguments.mean, "--mean"),
        "std": _numbers(arguments.std, "--std"),
        "channels": 1 if folder.grey and Path(arguments.model).expanduser().is_file() else None,
        **dict(map(_option, arguments.option)),
    }


def _names(text: str) -> list[str]:
    """Class names from `a,b,c`, or from a file with one on each line."""
    path = Path(text).expanduser()
    if path.is_file():
        text = path.read_text(encoding="utf-8").strip().replace("\n", ",")
    return [name.strip() for name in text.split(",")]


def _option(text: str) -> tuple[str, Any]:
    """Name and value of `KEY=VALUE`, the value read as a recipe's.

    Raises:
        UserError: there is no `=`, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--option {text} has no value", "write --option KEY=VALUE")
    problems = Problems()
    plain = read_yaml(value, f"--option {key}", problems, one_line=True)
    problems.raise_if_any()
    return key, to_plain(plain)


def _numbers(text: str | None, option: str) -> list[float] | None:
    try:
        return [float(number) for number in text.split(",")] if text else None
    except ValueError as error:
        raise UserError(f"{option} is no list of numbers: {text}", "write it as 0.485,0.456,0.406") from error


def _described(model: Model) -> str:
    """`classifiers/torch: 3 channels, 224x224, 2 classes`."""
    facts = []
    if model.facts.shape:
        channels, height, width = model.facts.shape
        facts.append(f"{channels} channel{'s' if channels > 1 else ''}, {height}x{width}")
    if model.facts.classes:
        facts.append(f"{len(model.facts.classes):,} classes")
    return f"{model.use}: {', '.join(facts) or 'says nothing about itself before it is loaded'}"


def _refuse_unfit(kind: Kind, folder: Folder, model: Model) -> None:
    """Raises a UserError where the recipe could never run."""
    if kind == "heatmaps":
        return
    if "differentiable" not in model.provides:
        reason = model.descriptor.absence(model.params, "differentiable") or "it gives no gradients"
        raise UserError(
            f"{kind} follow the model's gradients, and {model.use} has none: {reason}",
            "give the model as an exported program (.pt2), or ask for heatmaps",
        )
    if model.facts.task == "regression":
        raise UserError(f"{kind} are about two classes, and the model gives one value", "ask for heatmaps")
    if folder.learned < LEARNABLE:
        raise UserError(
            f"a generator cannot learn from {folder.learned} images", f"give {LEARNABLE} or more, or ask for heatmaps"
        )


def _takes(plan: Plan, minutes: float) -> list[str]:
    """The estimate: a line, then notes of how it was made and of what the user may want to do about it."""
    one, notes = plan.estimate, []
    if plan.generator:
        size, images = plan.generator["size"], plan.folder.learned
        notes.append(
            f"{GENERATORS[plan.kind]} learns at {size}x{size} pixels, in {plan.steps:,} steps from {images:,} images."
        )
    if one is None:
        return ["takes   not estimated", *notes]
    how = f"a step of the training takes {one.step:.2g} s, " if plan.generator else ""
    notes.append(
        f"Timed just now, as busy as the machine is: {how}a pass of the model {one.pass_:.2g} s. Half to twice as long "
        f"is likely; the processor works {duration(one.cpu)} of it."
    )
    if plan.steps < 0.8 * plan.wanted:
        notes.append(
            f"{plan.wanted:,} steps would draw better; {minutes:g} minutes allow {plan.steps:,}: see --minutes."
        )
    if plan.kind == "counterfactuals" and plan.folder.learned >= MORE_IMAGES:
        notes.append(
            "With so many images `sidelight init stylex` works as well. It names attributes, and takes longer."
        )
    parts = f" (training {duration(one.training)}, then {duration(one.explaining)})" if plan.generator else ""
    of_memory = "" if one.memory is None else f" and {memory(one.memory)} of memory"
    return [f"takes   about {duration(one.seconds)}{parts}{of_memory}", *notes]


def _methods(model: Model, host: Host) -> list[tuple[str, str]]:
    """Ids and uses of the installed heatmaps that suit the model: those that suggest themselves, or ours."""
    fitting: list[tuple[float, str]] = []
    provided = set(model.provides)
    for entry in host.installed():
        if entry.role != "explainer" or entry.flaw:
            continue
        try:
            (found,) = host.find(entry.use, "explainer")
        except UserError:  # broken or blocked: `sidelight plugins` names it
            continue
        one = found.descriptor
        assert isinstance(one, ExplainerDescriptor), "the role was asked for"
        suits = all(
            need.optional or (need.role == "classifier" and provided >= set(need.capabilities)) for need in one.needs
        )
        suggested = getattr(one, "suggested", None)
        few = model.facts.classes is not None and len(model.facts.classes) == 2
        if one.gives != "heatmap" or not suits or (few and found.use in MANY_CLASSES):
            continue
        if suggested is not None and suggested.fits(model.provides):
            fitting.append((suggested.order, found.use))
        elif found.use in METHODS:
            fitting.append((1e6 + METHODS.index(found.use), found.use))
    if not fitting:
        raise UserError(f"no installed method draws heatmaps of {model.use}", how_to_install("sidelight-captum"))
    return [(use.partition("/")[2], use) for _, use in sorted(fitting)[:MOST_METHODS]]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", "choose another file with --out") from error
