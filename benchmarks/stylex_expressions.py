"""Attributes of a network of expressions that others trained, read by networks that took no part.

The results are in docs/reference/faces.md.

    sidelight run recipes/stylex-expressions.yaml
    python benchmarks/stylex_expressions.py runs/stylex-expressions --pictures FOLDER

The recipe's generator is taken out of the cache. AttFind searches 100 training faces called neutral for what makes them
happy, and 100 called happy the other way. The first five attributes of each are then changed, each alone and all
together, on `--count` test faces of another seed than the recipe's, on which nothing was chosen. A change is shown on
the face itself, x + G(s') - G(s), as the recipe has it. Readers: `faces/mini-xception` judges the expression,
`faces/landmarks` reads the mouth, `faces/identity` the person; light and colour are read off the pixels. Intervals are
95 % over faces: Wilson for shares, Student for the rest. There is one training, whose spread is not known.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from sidelight import load_run
from sidelight.engine.store import Store, read_document, read_entry
from sidelight_faces import EXPRESSIONS
from sidelight_faces.dcgan import Dcgan
from sidelight_faces.expression import Expression
from sidelight_faces.identity import Identity
from sidelight_faces.landmarks import Landmarks, mouth_shape
from sidelight_faces.mini_xception import MiniXception
from sidelight_faces.params import (
    DcganParams,
    ExpressionParams,
    IdentityParams,
    LandmarksParams,
    MiniXceptionParams,
    SamplesParams,
)
from sidelight_faces.samples import Samples
from sidelight_specs.results import Attributes, Measurement, State, Targets
from sidelight_specs.roles import AttributeFinder
from sidelight_specs.testing import ToyRun
from sidelight_stylex.attfind.attfind import AttFind
from sidelight_stylex.explainers import Independent, Subset, log_odds
from sidelight_stylex.generator import Encoder, StylEx
from sidelight_stylex.params import AttFindParams, EncoderParams, GeneratorParams, IndependentParams, SubsetParams
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from torch import Tensor

NEUTRAL, HAPPY = EXPRESSIONS.index("neutral"), EXPRESSIONS.index("happy")
SEARCHED = 100  # training faces of the other class that AttFind searches
DRAWN = 8  # faces of a picture
BATCH = 16
LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # Rec. 601
MOUTH, EYES = slice(48, 68), slice(36, 48)  # landmarks
MARGIN = 0.06  # of the image's side, around the landmarks of a part


def main() -> None:
    """Find, change, read, print."""
    options = _options()
    torch.set_num_threads(1)
    run = load_run(options.run)
    generator, classifier, data = rebuilt(run, options)
    readers = Readers(classifier)
    faces = torch.from_numpy(data.split("test").images)
    with torch.no_grad():
        again = in_batches(lambda part: generator.synthesize(generator.encode(part)), faces, BATCH)
    predicted = to_array(in_batches(classifier.class_logits, faces, BATCH)).argmax(1)
    print(f"{len(faces)} test faces of seed {options.seed}: " + counts(predicted))
    reconstructions(faces, again, readers)

    needs = {"classifier": classifier, "generator": generator, "data": data}
    needs["inverter"] = Encoder(EncoderParams(), generator=generator, run=ToyRun())
    params = AttFindParams(mode="screened", attributes=options.attributes, certificate=options.certificate)
    finder = Searched(AttFind(attrs.evolve(params, examples=1, frames=2), **needs, run=ToyRun()), needs)
    for before, probe in ((NEUTRAL, HAPPY), (HAPPY, NEUTRAL)):
        if EXPRESSIONS[probe] not in options.towards:
            continue
        images = faces[np.flatnonzero(predicted == before)[: options.count]]
        towards(images, before, probe, finder, readers, needs, options)


def rebuilt(run: Any, options: argparse.Namespace) -> tuple[StylEx, Expression, Samples]:
    """The recipe's generator with what it learned, the classifier, and test faces of another seed."""
    recipe = run.results.recipe
    params = GeneratorParams(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in _with(recipe, "generator").items()}
    )
    classifier = Expression(ExpressionParams(), run=ToyRun())
    generator = StylEx(params, classifier=classifier, run=ToyRun())
    generator.load_state(learned(run))
    dcgan = Dcgan(DcganParams(), run=ToyRun())
    asked = {**recipe["data"]["with"], "count": options.faces}
    # training samples are the recipe's, test samples are of another seed
    data = OtherTest(Samples(SamplesParams(**asked), generator=dcgan, run=ToyRun()))
    data.test = Samples(SamplesParams(**{**asked, "seed": options.seed}), generator=dcgan, run=ToyRun()).split("test")
    return generator, classifier, data


def _with(recipe: Any, section: str) -> dict[str, Any]:
    return dict(recipe[section][section]["with"])


def learned(run: Any) -> State:
    """State that the generator learned, out of the cache: the entry with the run's learning curves."""
    curves = run.results.emitted["generator/training"].digest()
    for stored in Store().entries():
        if stored.component == "stylex/generator" and read_document(stored.folder)["step"] == "fit":
            result = read_entry(stored.folder, stored.folder.name).result
            if isinstance(result, State) and attrs.evolve(result, arrays={}).digest() == curves:
                return result
    raise SystemExit("the cache no longer holds the training; run the recipe again")


class OtherTest:
    """Samples whose split `test` is replaced."""

    test: Any

    def __init__(self, data: Samples) -> None:
        self._data, self.splits, self.factor_ranges = data, data.splits, data.factor_ranges

    def split(self, name: str) -> Any:
        """`train` of the recipe, `test` of another seed."""
        return self.test if name == "test" else self._data.split(name)


class Searched(AttributeFinder):
    """AttFind on training faces called the other class of the two, whatever latents it is given; asked once a class."""

    def __init__(self, finder: AttFind, needs: dict[str, Any]) -> None:
        self._finder, self._needs, self._found = finder, needs, dict[int, Attributes]()

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Attributes towards `target`."""
        del latents
        if target not in self._found:
            train = torch.from_numpy(self._needs["data"].split("train").read(count=6 * SEARCHED).images)
            predicted = to_array(in_batches(self._needs["classifier"].class_logits, train, BATCH)).argmax(1)
            rows = np.flatnonzero(predicted == (NEUTRAL if target == HAPPY else HAPPY))[:SEARCHED]
            began = time.process_time()
            found = self._finder.find(torch.from_numpy(self._needs["inverter"].invert(train[rows]).latents), target)
            print(f"searched {len(rows)} training faces in {time.process_time() - began:.0f} s of CPU time")
            self._found[target] = found
        return self._found[target]


class Readers:
    """Networks that read a face, the explained one among them."""

    def __init__(self, classifier: Expression) -> None:
        run = ToyRun()
        self.classifier, self.judge = classifier, MiniXception(MiniXceptionParams(), run=run)
        self._identity, self._landmarks = Identity(IdentityParams(), run=run), Landmarks(LandmarksParams(), run=run)

    def read(self, images: Tensor) -> dict[str, np.ndarray]:
        """Name to (N, ...) of (N, 3, H, W) faces."""
        logits = [to_array(in_batches(one.class_logits, images, BATCH)) for one in (self.classifier, self.judge)]
        vectors = to_array(in_batches(self._identity.network, images, BATCH)).astype(np.float64)
        points = self._landmarks.points(images)
        return {
            "logits": logits[0],
            "judge": logits[1],
            "identity": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            "points": points,
            **mouth_shape(points),
        }


def reconstructions(faces: Tensor, again: Tensor, readers: Readers) -> None:
    """Share of a face, of its expression and of the person that the generator keeps."""
    one, other = readers.read(faces), readers.read(again)
    say("PSNR, dB", to_array(-10 * (faces - again).square().mean((1, 2, 3)).log10()))
    say("the classifier says the same", one["logits"].argmax(1) == other["logits"].argmax(1))
    say("the judge says the same", one["judge"].argmax(1) == other["judge"].argmax(1))
    say("the judge says what the classifier says, of the face", one["judge"].argmax(1) == one["logits"].argmax(1))
    say("identity, cosine", (one["identity"] * other["identity"]).sum(1))
    among = one["identity"] @ one["identity"].T
    np.fill_diagonal(among, np.nan)
    say("identity of two faces, cosine", np.nanmean(among, 1))
    say("nearest of all faces is its own", (other["identity"] @ one["identity"].T).argmax(1) == np.arange(len(faces)))
    for name in ("smile", "mouth opening", "mouth width"):
        print(f"  {name}: r {np.corrcoef(one[name], other[name])[0, 1]:.2f} of image and reconstruction")
    for index in (NEUTRAL, HAPPY):
        rows = one["logits"].argmax(1) == index
        for name in ("smile", "mouth opening", "mouth width"):
            say(f"{name} of those called {EXPRESSIONS[index]}", one[name][rows])


def towards(
    images: Tensor, before: int, probe: int, finder: Searched, readers: Readers, needs: dict[str, Any], options: Any
) -> None:
    """The attributes that raise one class, each alone, together, and by the two selections."""
    print(f"\nFROM {EXPRESSIONS[before]} TO {EXPRESSIONS[probe]}, {len(images)} faces", flush=True)
    generator, start = needs["generator"], readers.read(images)
    found = finder.find(torch.zeros(0), probe)
    for certificate in getattr(found, "certificates", ()) or ():
        print(f"  {certificate}")
    with torch.no_grad():
        styles = in_batches(lambda part: generator.styles(generator.encode(part)), images, BATCH)
        drawn = in_batches(generator.synthesize_styles, styles, BATCH)
    rows = [images[:DRAWN], drawn[:DRAWN]]
    attributes = found.attributes[: options.top]
    explained = found.explained.sum(1) if found.explained is not None else [0] * len(attributes)
    together = styles
    for attribute, count in zip(attributes, explained, strict=False):
        changed = attribute.apply(styles, options.factor)
        after = shown(images, drawn, in_batches(generator.synthesize_styles, changed, BATCH))
        title = f"{attribute.name}, {attribute.effect:+.2f} logits on training faces, explains {count}"
        report(
            title + (f"; FLAGGED: {attribute.flagged}" if attribute.flagged else ""),
            images,
            after,
            start,
            probe,
            readers,
        )
        rows.append(after[:DRAWN])
        together = attribute.apply(together, options.factor)
    after = shown(images, drawn, in_batches(generator.synthesize_styles, together, BATCH))
    report(f"all {len(attributes)} together", images, after, start, probe, readers)
    rows.append(after[:DRAWN])
    targets = Targets(predicted=np.full(len(images), before), probe=np.full(len(images), probe))
    extra = {**needs, "attribute_finder": finder, "run": ToyRun()}
    for margin in options.margins:
        subset = Subset(
            SubsetParams(most=options.attributes, margin=margin, residual=True, factor=options.factor, batch=BATCH),
            **extra,
        )
        answers = subset.explain(images, targets)
        used = np.array([sum(map(bool, names)) for names in answers.path_names], np.float32)
        after = torch.from_numpy(answers.images)
        report(f"subset, margin {margin:g}", images, after, start, probe, readers)
        say("attributes used", used)
        rows.append(after[:DRAWN])
    single = Independent(IndependentParams(top=1, residual=True, factor=options.factor, batch=BATCH), **extra).explain(
        images, targets
    )
    report(
        "the one attribute that raises it most on each face",
        images,
        torch.from_numpy(single.after[:, 0]),
        start,
        probe,
        readers,
    )
    if options.pictures:
        draw(options.pictures / f"{EXPRESSIONS[before]}-{EXPRESSIONS[probe]}.png", rows)


def shown(images: Tensor, drawn: Tensor, changed: Tensor) -> Tensor:
    """x + G(s') - G(s)."""
    return (images + (changed - drawn)).clamp(0, 1)


def report(
    title: str, images: Tensor, after: Tensor, start: dict[str, np.ndarray], probe: int, readers: Readers
) -> None:
    """Changes from the faces to those after, by every reader."""
    print(f"\n  {title}", flush=True)
    end = readers.read(after)
    for name, key in (("classifier", "logits"), ("judge", "judge")):
        say(f"called {EXPRESSIONS[probe]} by the {name}; before", start[key].argmax(1) == probe)
        say(f"called {EXPRESSIONS[probe]} by the {name}", end[key].argmax(1) == probe)
        say(f"log odds of the {name}, change", log_odds(end[key], probe) - log_odds(start[key], probe))
    turned = end["logits"].argmax(1) == probe
    say("called so by the judge, of those that turned", (end["judge"].argmax(1) == probe)[turned])
    say("identity, cosine", (start["identity"] * end["identity"]).sum(1))
    say("nearest of all faces is its own", (end["identity"] @ start["identity"].T).argmax(1) == np.arange(len(images)))
    for name in ("smile", "mouth opening", "mouth width"):
        say(f"{name}, change", end[name] - start[name])
    change = after - images
    say("brightness, change", to_array((change * LUMA).sum(1).mean((1, 2))))
    say("red less blue, change", to_array((change[:, 0] - change[:, 2]).mean((1, 2))))
    say("tint: largest mean change of a channel", to_array(change.mean((2, 3)).abs().amax(1)))
    say("distance, L2", to_array(change.flatten(1).norm(dim=1)))
    energy = to_array(change.square().sum(1))  # (N, H, W)
    for name, part in (("mouth", MOUTH), ("eyes", EYES)):
        mask = boxes(start["points"][:, part], energy.shape[1])
        say(f"share of the squared change in the box of the {name}", (energy * mask).sum((1, 2)) / energy.sum((1, 2)))
        print(f"      (the box is {mask.mean():.2f} of the image)")


def boxes(points: np.ndarray, side: int) -> np.ndarray:
    """(N, side, side) bool around (N, P, 2) landmarks in sides of the image."""
    low, high = points.min(1) - MARGIN, points.max(1) + MARGIN  # (N, 2), x and y
    centres = (np.arange(side) + 0.5) / side
    across, down = ((centres >= low[:, axis, None]) & (centres <= high[:, axis, None]) for axis in (0, 1))
    inside: np.ndarray = down[:, :, None] & across[:, None, :]
    return inside


def counts(predicted: np.ndarray) -> str:
    """Number of faces of each expression."""
    return ", ".join(f"{name} {(predicted == index).sum()}" for index, name in enumerate(EXPRESSIONS))


def say(name: str, values: np.ndarray) -> None:
    """Mean with its interval: Wilson's of a ratio, Student's else."""
    if len(values):
        measured = Measurement(name=name, values=np.asarray(values).astype(np.float32))
        low, high = measured.interval or (float("nan"), float("nan"))
        print(f"    {name:62} {measured.value:7.3f} ({low:.3f} to {high:.3f}), n {len(values)}", flush=True)


def draw(path: Path, rows: list[Tensor]) -> None:
    """A picture of rows of faces."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (torch.cat([torch.cat(list(row), 2) for row in rows], 1).clamp(0, 1).permute(1, 2, 0) * 255).round()
    image = Image.fromarray(pixels.to(torch.uint8).numpy())
    image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC).save(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=int, default=2, help="of the test faces; the recipe's is 0")
    parser.add_argument("--faces", type=int, default=600, help="test faces, of all expressions")
    parser.add_argument("--count", type=int, default=100, help="of these that are changed, each way")
    parser.add_argument("--towards", nargs="+", default=["happy", "neutral"], choices=("happy", "neutral"))
    parser.add_argument("--attributes", type=int, default=10, help="attributes found for each class")
    parser.add_argument("--top", type=int, default=5, help="of these that are read one by one")
    parser.add_argument("--factor", type=float, default=1.0, help="of all moves: 2 is twice as far as the extremes")
    parser.add_argument("--margins", type=float, nargs="+", default=[0.0, 3.0], help="of stylex/subset, nats")
    parser.add_argument("--certificate", type=int, default=0, help="coordinates drawn to estimate AttFind's recall")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each way")
    return parser.parse_args()


if __name__ == "__main__":
    main()
