"""Cost of the information term: CPU time of a training step of the concept decoder with and without it.

    python benchmarks/information_term.py [--size 64] [--steps 40] [--repeats 3]

Prints a line for each of two layers of the toy classifier: the time of a step without and with the term, and the ratio,
both measured in turns within one run. What is done once, before the first step, is not counted. Where other programs
run, the ratio still holds; the times do not.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING, TypeVar

from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts
from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
from sidelight_intervention.params import ConceptDecoderParams, DvaeParams
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABEL = "training decoder"
WARM = 4
T = TypeVar("T")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="height and width of the images")
    parser.add_argument("--steps", type=int, default=40, help="steps timed")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each; the median counts")
    options = parser.parse_args()
    shape = (3, options.size, options.size)
    weight = ConceptDecoderParams().shared
    for layer in ("pool2", "pool1"):
        dvae = DiscreteConcepts(
            DvaeParams(layer=layer, steps=5, batch=16), classifier=ToyClassifier(shape), run=ToyRun()
        )
        dvae.fit(ToyData(shape))
        rounds = [
            [seconds_a_step(dvae, shape, options.steps, shared) for shared in (0.0, weight)]
            for _ in range(options.repeats)
        ]
        without, with_term = (1000 * statistics.median(each) for each in zip(*rounds, strict=True))
        print(
            f"{layer} ({len(dvae.network.centre)} coordinates), {options.size}x{options.size}: "
            f"{without:.0f} ms without, {with_term:.0f} ms with, ratio {with_term / without:.2f}"
        )


class Timed(ToyRun):
    """Notes the CPU time at the start of every training step."""

    times: list[float]

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Pass items through."""
        for item in super().progress(iterable, label, total):
            if label == LABEL:
                self.times.append(time.process_time())
            yield item


def seconds_a_step(dvae: DiscreteConcepts, shape: tuple[int, int, int], steps: int, shared: float) -> float:
    """CPU seconds of one step, the first ones left out."""
    run = Timed()
    run.times = []
    ConceptDecoder(ConceptDecoderParams(steps=WARM + steps + 1, shared=shared), dvae=dvae, run=run).fit(ToyData(shape))
    return (run.times[WARM + steps] - run.times[WARM]) / steps


if __name__ == "__main__":
    main()
