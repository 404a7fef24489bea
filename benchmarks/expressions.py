"""Neutral faces of a DCGAN made happy (docs/reference/faces.md): who is convinced, what is kept, and what it costs.

python benchmarks/expressions.py --save FILE                    100 faces, all settings; goes on where it was stopped
python benchmarks/expressions.py --save FILE --report           the table, of what FILE holds

Settings were chosen on samples of seeds 1 and 3; tables are of seeds 0, 2 and 4. `direction N`: z is shifted by N % of
the mean |z| along the latent direction (Kirchler et al. 2021), fitted on 1,500 samples. `search N`: by the smallest
shift, up to 60 %, at which happy leads every other class by N logits. CDeepEx ends 3 nats beyond the boundary:
`alone`, where the explained network alone has to call the answer happy, and `both`, where mini-XCEPTION has to, too.
A third network, which knows nothing of expressions, reads the shape of the mouth; what it reads off samples that the
explained network calls happy is printed beside.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sidelight_cdeepex.cdeepex import CDeepEx
from sidelight_cdeepex.params import CdeepexParams
from sidelight_explorer._params import DirectionParams, LineSearchParams
from sidelight_explorer.directions import LatentDirections
from sidelight_explorer.explainers.line_search import LineSearch
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
    SampledLatentsParams,
    SamplesParams,
)
from sidelight_faces.samples import SampledLatents, Samples
from sidelight_specs.results import Measurement, Targets
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.batching import in_batches

LAMBDAS = (0.1, 0.2, 0.3, 0.35, 0.4)
DIRECTIONS = {f"direction {round(100 * step)}": step for step in LAMBDAS}
LONGEST = 0.6  # of the mean |z|, of a search along the direction
SEARCHES = {f"search {margin}": float(margin) for margin in range(11)}
SETTINGS = (*DIRECTIONS, *SEARCHES, "alone", "both")
PUBLISHED = ("direction 10", "direction 20", "direction 30", "alone", "both")
PARAMS = CdeepexParams(margin=3, together=8)
FITTED = DirectionParams(train=1500, validation=500, lambdas=LAMBDAS, batch=16)
NEUTRAL, HAPPY = EXPRESSIONS.index("neutral"), EXPRESSIONS.index("happy")
CHUNK = 10  # faces of a setting at a time
RUN = ToyRun(component="expressions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path, required=True, help="file with a line of JSON for each face and setting")
    parser.add_argument("--count", type=int, default=100, help="neutral faces")
    parser.add_argument("--seed", type=int, default=0, help="of the samples")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(PUBLISHED))
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each chunk: faces above answers")
    parser.add_argument("--report", action="store_true", help="print the table and compute nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.report:
        measure(arguments)
    report([json.loads(line) for line in arguments.save.read_text().splitlines()])


def measure(arguments: argparse.Namespace) -> None:
    classifier, second = Expression(ExpressionParams(), run=RUN), MiniXception(MiniXceptionParams(), run=RUN)
    recognition, landmarks = Identity(IdentityParams(), run=RUN), Landmarks(LandmarksParams(), run=RUN)
    generator = Dcgan(DcganParams(), run=RUN)
    data = Samples(SamplesParams(count=5 * arguments.count // 2, seed=arguments.seed), generator=generator, run=RUN)
    inverter = SampledLatents(SampledLatentsParams(), data=data, generator=generator, run=RUN)
    samples = torch.from_numpy(data.split("test").images)
    predicted = in_batches(classifier.class_logits, samples, 16).argmax(1)
    rows = torch.nonzero(predicted == NEUTRAL)[: arguments.count, 0].tolist()
    inverter.invert(samples[rows[:1]])  # draws the samples, before time is taken
    happy = torch.nonzero(predicted == HAPPY)[: arguments.count, 0].tolist()
    known = arguments.save.read_text().splitlines() if arguments.save.is_file() else []
    done = {(one["setting"], one["sample"]) for one in map(json.loads, known)}
    finder = LatentDirections(FITTED, classifier=classifier, generator=generator, run=RUN)
    with arguments.save.open("a") as file:
        if ("happy", -1) not in done:
            shape = {name: values.tolist() for name, values in mouth_shape(landmarks.points(samples[happy])).items()}
            write(file, {"setting": "happy", "sample": -1, "mouth": shape})
        for start in range(0, len(rows), CHUNK):
            for setting in arguments.settings:
                chunk = [row for row in rows[start : start + CHUNK] if (setting, row) not in done]
                if not chunk:
                    continue
                images = samples[chunk]
                began = time.process_time()
                if setting in DIRECTIONS:
                    answers, converged = (
                        shifted(finder, generator, inverter, images, DIRECTIONS[setting]),
                        [True] * len(chunk),
                    )
                else:
                    models = {"classifier": classifier, "generator": generator, "inverter": inverter, "run": RUN}
                    if setting in SEARCHES:
                        reach = LONGEST / max(LAMBDAS)
                        params = LineSearchParams(margin=SEARCHES[setting], reach=reach)
                        explainer = LineSearch(params, attribute_finder=finder, **models)
                    else:
                        explainer = CDeepEx(PARAMS, second_classifier=second if setting == "both" else None, **models)
                    asked = Targets(predicted=np.full(len(chunk), NEUTRAL), probe=np.full(len(chunk), HAPPY))
                    result = explainer.explain(images, asked)
                    answers, converged = torch.from_numpy(result.images), result.converged.tolist()
                seconds = (time.process_time() - began) / len(chunk)
                both = (images, answers)
                logits = [[network.class_logits(one) for one in both] for network in (classifier, second)]
                turned = [[(one.argmax(1) == HAPPY).tolist() for one in sides] for sides in logits]
                chance = [[one.softmax(1)[:, HAPPY].tolist() for one in sides] for sides in logits]
                descriptors = [recognition.network(one).tolist() for one in both]
                mouth = [mouth_shape(landmarks.points(one)) for one in both]
                change = answers - images
                for index, sample in enumerate(chunk):
                    face = {
                        "setting": setting,
                        "sample": sample,
                        "converged": converged[index],
                        "happy": [[side[index] for side in sides] for sides in turned],  # network, before and after
                        "p": [[side[index] for side in sides] for sides in chance],
                        "descriptor": [side[index] for side in descriptors],
                        "mouth": {name: [float(side[name][index]) for side in mouth] for name in mouth[0]},
                        "distance": float(change[index].square().sum().sqrt()),
                        "tint": float(change[index].mean((1, 2)).abs().max()),
                        "seconds": seconds,
                    }
                    write(file, face)
                if arguments.pictures:
                    draw(arguments.pictures / f"{setting}-{start}.png", images, answers)


def shifted(
    finder: LatentDirections, generator: Dcgan, inverter: SampledLatents, images: torch.Tensor, step: float
) -> torch.Tensor:
    """Images shifted towards happy by `step` of the mean |z|."""
    shifts = finder.class_shifts(HAPPY)
    (shift,) = [
        one.shift
        for one in shifts.towards
        if round(one.shift / shifts.towards[0].shift, 3) == round(step / max(LAMBDAS), 3)
    ]
    z = torch.from_numpy(inverter.invert(images).latents)
    with torch.no_grad():
        return generator.synthesize(z + shift * torch.from_numpy(shifts.direction[0]))


def write(file: object, value: dict) -> None:
    file.write(json.dumps(value) + "\n")
    file.flush()


def draw(path: Path, images: torch.Tensor, answers: torch.Tensor) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [torch.cat(list(one), 2) for one in (images, answers)]
    pixels = (torch.cat(rows, 1).permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).resize((3 * pixels.shape[1], 3 * pixels.shape[0]), Image.Resampling.BICUBIC).save(path)


def report(lines: list[dict]) -> None:
    """Means with 95 % intervals over faces: Wilson for shares, Student for the rest."""
    (happy,) = [one["mouth"] for one in lines if one["setting"] == "happy"]
    for setting in SETTINGS:
        faces = [one for one in lines if one["setting"] == setting]
        if not faces:
            continue
        before, after = (np.array([one["descriptor"][side] for one in faces]) for side in (0, 1))
        before, after = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (before, after))
        among, across = before @ before.T, after @ before.T
        np.fill_diagonal(among, np.nan)
        values = {
            **({} if setting in DIRECTIONS else {"constraints hold": [one["converged"] for one in faces]}),
            "called happy": [one["happy"][0][1] for one in faces],
            "P(happy)": [one["p"][0][1] for one in faces],
            "second network: happy before": [one["happy"][1][0] for one in faces],
            "second network: happy after": [one["happy"][1][1] for one in faces],
            "identity, cosine": np.diag(across),
            "two samples, cosine": np.nanmean(among, axis=1),
            "nearest of all faces is its own": across.argmax(1) == np.arange(len(faces)),
            "distance": [one["distance"] for one in faces],
            "tint (largest channel's mean change)": [one["tint"] for one in faces],
            "CPU seconds": [one["seconds"] for one in faces],
        }
        for name in happy:
            values[f"{name}, before"] = [one["mouth"][name][0] for one in faces]
            values[f"{name}, change"] = [one["mouth"][name][1] - one["mouth"][name][0] for one in faces]
            values[f"{name}, of happy samples (n = {len(happy[name])})"] = happy[name]
        print(f"\n{setting}, n = {len(faces)}")
        for name, numbers in values.items():
            item = Measurement(name=name, values=np.array(numbers, np.float32))
            low, high = item.interval or (float("nan"), float("nan"))
            print(f"  {name:<48} {item.value:.3f}  ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
