"""An edit that any image can take, the wish to measure it on many, what came out, and the test of a hypothesis."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from sidelight_explorer.hypothesis import Control, Expected, Outcome, judge
from sidelight_explorer.session.edit import MOST_LAYERS, MOST_MOVES, EditSpec, Mix, read_edit, style_id
from sidelight_explorer.validation import InvalidInput, fields, listed, mapping, number, one_of, text, whole

Population = Literal["gallery", "data", "draws"]
POPULATIONS: tuple[Population, ...] = ("gallery", "data", "draws")
EXPECTED: tuple[Expected, ...] = ("up", "down", "none")
MOST_IMAGES, MOST_CONTROLS = 500, 100
MOST_FACTORS = 1000
MOST_POINTS = 200  # of a curve
LARGEST = 1e9  # of a score or change in a file


@attrs.frozen
class OpenMix:
    """One layer of an edit; None stands for the style that an image began with."""

    start: str | None
    end: str | None
    share: int


@attrs.frozen
class Edit:
    """Edit of an image, to be done to others.

    Args:
        layers: mixes of the layers that it changes, None for the others.
        moves: (slider id, percent of its range).
    """

    layers: tuple[OpenMix | None, ...]
    moves: tuple[tuple[str, int], ...] = ()

    def apply(self, spec: EditSpec) -> EditSpec:
        """The image with this edit; sliders that it does not move stay where they are."""
        mixes = [
            mix if other is None else Mix(other.start or mix.start, other.end or mix.start, other.share)
            for mix, other in zip(spec.layers, self.layers, strict=True)
        ]
        moves = {**dict(spec.moves), **dict(self.moves)}
        return EditSpec(tuple(mixes), tuple(sorted((name, amount) for name, amount in moves.items() if amount)))

    @property
    def styles(self) -> frozenset[str]:
        """Ids of the styles that it brings."""
        return frozenset(name for mix in self.layers if mix for name in (mix.start, mix.end) if name is not None)


@attrs.frozen
class Measure:
    """An edit to be measured (see `Measure` in `web/types.d.ts`).

    Args:
        edit: the edit.
        on: the images as they began in the gallery, images of the data, or random draws.
        count: number of images.
        seed: of the draws, of the choice of data, and of the random edits.
        controls: random directions.
        classifier: id of the classifier whose score it is.
        target: index of the class.
        split: of the data.
        images: of the gallery.
        factors: True to read true factors before and after.
    """

    edit: Edit
    on: Population
    count: int
    seed: int
    controls: int
    classifier: str
    target: int
    split: str = ""
    images: tuple[EditSpec, ...] = ()
    factors: bool = False


@attrs.frozen
class FactorChange:
    """Mean change of one true factor by an edit.

    Args:
        name: of the factor.
        change, low, high: mean change in half-ranges and its 95 % interval.
        read: R squared of the reading.
    """

    name: str
    change: float
    low: float
    high: float
    read: float


@attrs.frozen
class Measured:
    """Outcome for N images.

    Args:
        names: style of each image's first layer.
        before, after: N scores as displayed.
        turned: N times True where the answer changed; empty for a regression.
        groups: label of each image, or the classifier's answer before the edit; None where neither is known.
        grouped: which of both.
        w, image: mean length of the edit in W, mean root mean square change of the pixels.
        controls: random edits of equal size.
        factors: changes of true factors; None where they were not read.
    """

    names: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    turned: tuple[bool, ...]
    groups: tuple[str | None, ...]
    grouped: Literal["label", "answer"]
    w: float
    image: float
    controls: tuple[Control, ...]
    factors: tuple[FactorChange, ...] | None = None


@attrs.frozen
class HypothesisTest:
    """A test of a hypothesis.

    Args:
        expected: of the score, stated before the test.
        least: smallest change that matters.
        measure: what was asked.
        measured: what came out.
    """

    expected: Expected
    least: float
    measure: Measure
    measured: Measured

    @property
    def outcome(self) -> Outcome:
        """The verdict of the rule."""
        found = self.measured
        return judge(found.before, found.after, found.controls, self.expected, self.least)


@attrs.frozen
class Band:
    """Scores of random draws along a curve.

    Args:
        count: number of draws.
        mean, low, high: P mean scores, 10th and 90th percentiles.
    """

    count: int
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@attrs.frozen
class Curve:
    """The score along a slider or from one style to another.

    Args:
        along: what is varied, in words.
        image: name of the image.
        classifier: id of the classifier whose score it is.
        target: index of the class.
        positions: P percents.
        scores: P scores of the image.
        band: of random draws; None without any.
    """

    along: str
    image: str
    classifier: str
    target: int
    positions: tuple[float, ...]
    scores: tuple[float, ...]
    band: Band | None = None


def read_open_edit(value: Any, layers: int, path: str = "edit") -> Edit:
    """An edit from JSON values.

    Raises:
        InvalidInput: malformed, or of a generator with another number of layers.
    """
    parts = fields(value, {"layers", "moves"}, path)
    mixes = tuple(_read_open_mix(item, f"{path}.layers") for item in listed(parts["layers"], MOST_LAYERS, path))
    if len(mixes) != layers:
        raise InvalidInput(f"{path}.layers: {len(mixes)} of them, the generator has {layers}")
    moves = mapping(parts.get("moves", {}), MOST_MOVES, f"{path}.moves")
    amounts = {text(key, 200, path): whole(amount, -100, 100, f"{path}.moves") for key, amount in moves.items()}
    return Edit(mixes, tuple(sorted(amounts.items())))


def _read_open_mix(value: Any, path: str) -> OpenMix | None:
    if value is None:
        return None
    parts = listed(value, 3, path)
    if len(parts) != 3:
        raise InvalidInput(f"{path}: a layer is null or [style, style, share]")
    start, end = (None if name is None else style_id(name, path) for name in parts[:2])
    return OpenMix(start, end, whole(parts[2], 0, 100, path))


def write_open_edit(edit: Edit) -> dict[str, Any]:
    """Inverse of `read_open_edit`."""
    layers = [mix and [mix.start, mix.end, mix.share] for mix in edit.layers]
    return {"layers": layers, "moves": dict(edit.moves)}


_MEASURE_KEYS = {"edit", "on", "count", "seed", "controls", "classifier", "target", "split", "images", "factors"}


def read_measure(value: Any, layers: int, path: str = "test") -> Measure:
    """A wish from JSON values; whether classifier, split and styles are there is not checked.

    Raises:
        InvalidInput: malformed.
    """
    parts = fields(value, _MEASURE_KEYS, path)
    images = tuple(
        read_edit(item, layers, f"{path}.images") for item in listed(parts.get("images", []), MOST_IMAGES, path)
    )
    return Measure(
        edit=read_open_edit(parts["edit"], layers, f"{path}.edit"),
        on=one_of(parts["on"], POPULATIONS, f"{path}.on"),
        count=whole(parts["count"], 1, MOST_IMAGES, f"{path}.count"),
        seed=whole(parts["seed"], 0, 2**31 - 1, f"{path}.seed"),
        controls=whole(parts["controls"], 0, MOST_CONTROLS, f"{path}.controls"),
        classifier=text(parts["classifier"], 200, f"{path}.classifier"),
        target=whole(parts["target"], 0, 1_000_000, f"{path}.target"),
        split=text(parts.get("split", ""), 100, f"{path}.split"),
        images=images,
        factors=parts.get("factors") is True,
    )


def write_measure(measure: Measure) -> dict[str, Any]:
    """The wish as JSON values, without the images of the gallery."""
    names = ("on", "count", "seed", "controls", "classifier", "target", "split", "factors")
    return {"edit": write_open_edit(measure.edit), **{name: getattr(measure, name) for name in names}}


def read_measured(value: Any, path: str = "measured") -> Measured:
    """Outcome, from JSON values.

    Raises:
        InvalidInput: malformed, or lists of different lengths.
    """
    keys = {"names", "before", "after", "turned", "groups", "grouped", "moved", "controls", "factors"}
    parts = fields(value, keys, path)
    before, after = (_numbers(parts[key], f"{path}.{key}") for key in ("before", "after"))
    names = tuple(style_id(name, f"{path}.names") for name in listed(parts["names"], MOST_IMAGES, f"{path}.names"))
    turned = tuple(item is True for item in listed(parts["turned"], MOST_IMAGES, f"{path}.turned"))
    groups = tuple(
        None if item is None else text(item, 200, f"{path}.groups")
        for item in listed(parts["groups"], MOST_IMAGES, f"{path}.groups")
    )
    lengths = {len(before), len(after), len(names), len(groups), *([len(turned)] if turned else [])}
    if len(lengths) > 1 or not before:
        raise InvalidInput(f"{path}: expected as many names, scores and groups as images, at least one")
    moved = fields(parts["moved"], {"w", "image"}, f"{path}.moved")
    factors = parts.get("factors")
    return Measured(
        names=names,
        before=before,
        after=after,
        turned=turned,
        groups=groups,
        grouped=one_of(parts["grouped"], ("label", "answer"), f"{path}.grouped"),
        w=number(moved["w"], 0, LARGEST, f"{path}.moved"),
        image=number(moved["image"], 0, LARGEST, f"{path}.moved"),
        controls=tuple(
            _read_control(item, f"{path}.controls")
            for item in listed(parts["controls"], 2 * MOST_CONTROLS, f"{path}.controls")
        ),
        factors=None
        if factors is None
        else tuple(_read_factor(item, path) for item in listed(factors, MOST_FACTORS, path)),
    )


def _numbers(value: Any, path: str) -> tuple[float, ...]:
    return tuple(number(item, -LARGEST, LARGEST, path) for item in listed(value, MOST_IMAGES, path))


def _read_control(value: Any, path: str) -> Control:
    parts = fields(value, {"size", "change", "turned", "moved"}, path)
    return Control(
        one_of(parts["size"], ("w", "image"), path),
        number(parts["change"], -LARGEST, LARGEST, path),
        number(parts["turned"], 0, 1, path),
        number(parts["moved"], 0, LARGEST, path),
    )


def _read_factor(value: Any, path: str) -> FactorChange:
    parts = fields(value, {"name", "change", "low", "high", "read"}, f"{path}.factors")
    numbers = (number(parts[key], -LARGEST, LARGEST, f"{path}.factors") for key in ("change", "low", "high", "read"))
    return FactorChange(text(parts["name"], 200, f"{path}.factors"), *numbers)


def write_measured(measured: Measured) -> dict[str, Any]:
    """Inverse of `read_measured`; scores to five digits."""
    rounded = {key: [round(value, 5) for value in getattr(measured, key)] for key in ("before", "after")}
    return {
        "names": list(measured.names),
        **rounded,
        "turned": list(measured.turned),
        "groups": list(measured.groups),
        "grouped": measured.grouped,
        "moved": {"w": round(measured.w, 5), "image": round(measured.image, 5)},
        "controls": [_rounded(control) for control in measured.controls],
        **({} if measured.factors is None else {"factors": [_rounded(factor) for factor in measured.factors]}),
    }


def _rounded(value: Any) -> dict[str, Any]:
    return {key: round(item, 5) if isinstance(item, float) else item for key, item in attrs.asdict(value).items()}


def read_test(value: Any, layers: int, path: str = "note.tests") -> HypothesisTest:
    """A test from JSON values.

    Raises:
        InvalidInput: malformed.
    """
    parts = fields(value, {"expected", "least", "measure", "measured"}, path)
    return HypothesisTest(
        one_of(parts["expected"], EXPECTED, f"{path}.expected"),
        number(parts["least"], 0, LARGEST, f"{path}.least"),
        read_measure(parts["measure"], layers, f"{path}.measure"),
        read_measured(parts["measured"], f"{path}.measured"),
    )


def write_test(test: HypothesisTest) -> dict[str, Any]:
    """Inverse of `read_test`."""
    return {
        "expected": test.expected,
        "least": test.least,
        "measure": write_measure(test.measure),
        "measured": write_measured(test.measured),
    }


def read_curve(value: Any, path: str = "note.curves") -> Curve:
    """A response curve from JSON values.

    Raises:
        InvalidInput: malformed, or lists of different lengths.
    """
    parts = fields(value, {"along", "image", "classifier", "target", "positions", "scores", "band"}, path)
    positions, scores = (_points(parts[key], f"{path}.{key}") for key in ("positions", "scores"))
    band = None
    if parts.get("band") is not None:
        inner = fields(parts["band"], {"count", "mean", "low", "high"}, f"{path}.band")
        lists = (_points(inner[key], f"{path}.band.{key}") for key in ("mean", "low", "high"))
        band = Band(whole(inner["count"], 1, 10_000, f"{path}.band.count"), *lists)
    lists_of = [positions, scores, *((band.mean, band.low, band.high) if band else ())]
    if len({len(one) for one in lists_of}) > 1 or not positions:
        raise InvalidInput(f"{path}: expected as many scores as positions, at least one")
    return Curve(
        along=text(parts["along"], 4000, f"{path}.along"),
        image=text(parts["image"], 200, f"{path}.image"),
        classifier=text(parts["classifier"], 200, f"{path}.classifier"),
        target=whole(parts["target"], 0, 1_000_000, f"{path}.target"),
        positions=positions,
        scores=scores,
        band=band,
    )


def _points(value: Any, path: str) -> tuple[float, ...]:
    return tuple(number(item, -LARGEST, LARGEST, path) for item in listed(value, MOST_POINTS, path))


def write_curve(curve: Curve) -> dict[str, Any]:
    """Inverse of `read_curve`."""
    plain = attrs.asdict(curve)
    return {key: item for key, item in plain.items() if item is not None}
