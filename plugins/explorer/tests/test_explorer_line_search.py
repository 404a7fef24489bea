"""The line search: the smallest shift that turns each image, against a fine grid."""

import attrs
import numpy as np
import pytest
import sidelight_explorer
import torch
from sidelight_explorer._params import DirectionParams, LineSearchParams
from sidelight_explorer.directions import LatentDirections
from sidelight_explorer.explainers.line_search import LineSearch
from sidelight_specs import UserError
from sidelight_specs.facts import Given
from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter
from sidelight_specs.testing.explanations import toy_targets
from sidelight_specs.testing.run import ToyRun
from sidelight_specs.testing.toys import ToyClassifier, ToyData, ToyGenerator, ToyInverter

SHAPE = (1, 32, 32)
FEW = DirectionParams(train=200, validation=100, batch=50, lambdas=(1.0, 0.5, -1.0))


class Roughly(Inverter):
    """Latents that miss the image."""

    def __init__(self, generator):
        self.inner = ToyInverter(generator)

    def invert(self, images) -> Inversion:
        found = self.inner.invert(images)
        return attrs.evolve(found, latents=0.8 * found.latents)


def search(inverter=ToyInverter, finder=FEW, **options):
    torch.set_num_threads(1)
    generator, classifier = ToyGenerator(SHAPE), ToyClassifier(SHAPE)
    found = LatentDirections(finder, classifier=classifier, generator=generator, run=ToyRun())
    explainer = LineSearch(
        LineSearchParams(**{"steps": 40, "halvings": 12, "reach": 2.0, **options}),
        classifier=classifier,
        generator=generator,
        inverter=inverter(generator),
        attribute_finder=found,
        run=ToyRun(),
    )
    images = torch.from_numpy(ToyData(SHAPE).split("test").images[:4])
    targets = toy_targets(classifier, images)
    return explainer.explain(images, targets), images, targets, found


def lead(logits, probe):
    rows = np.arange(len(probe))
    others = logits.copy()
    others[rows, probe] = -np.inf
    return logits[rows, probe] - others.max(1)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_the_answer_is_the_first_that_has_the_lead(margin):
    result, images, targets, found = search(margin=margin)
    assert result.converged.all()
    after = lead(result.logits_after, targets.probe)
    np.testing.assert_allclose(after, margin, atol=0.01)
    assert (result.logits_after.argmax(1) == targets.probe).all()
    classifier, generator = ToyClassifier(SHAPE), ToyGenerator(SHAPE)
    for row, probe in enumerate(targets.probe.tolist()):
        shifts = found.class_shifts(probe)
        step = np.linalg.norm(result.latents[row] - result.start_latents[row])
        z0 = torch.from_numpy(result.start_latents[row])
        grid = torch.linspace(0, float(step) - 0.02, 50)[:, None] * torch.from_numpy(shifts.direction.reshape(1, -1))
        change = generator.synthesize(z0 + grid) - generator.synthesize(z0[None])
        logits = classifier.class_logits((images[row] + change).clamp(0, 1)).numpy()
        assert (lead(logits, np.full(50, probe)) < max(margin, 1e-4)).all()


def test_details_that_the_generator_misses_are_kept():
    result, images, _, _ = search(Roughly)
    np.testing.assert_array_equal(result.path_images[:, 0], images)
    expected = images.numpy() + result.generated[:, 1] - result.generated[:, 0]
    np.testing.assert_allclose(result.images, expected.clip(0, 1), atol=1e-6)
    assert np.abs(result.generated[:, 0] - images.numpy()).max() > 0.01


def test_a_shift_that_is_too_short_is_no_answer():
    result, _, targets, found = search(reach=0.01)
    assert not result.converged.any()
    longest = [0.01 * found.class_shifts(probe).towards[0].shift for probe in targets.probe.tolist()]
    np.testing.assert_allclose(np.linalg.norm(result.latents - result.start_latents, axis=1), longest, rtol=1e-4)
    (missing,) = result.constraints.values()
    assert (missing > 0).all()


def test_a_finder_without_a_shift_towards_the_probe_is_named():
    with pytest.raises(UserError, match="no shift towards"):
        search(finder=attrs.evolve(FEW, lambdas=(-1.0,)))


@pytest.mark.parametrize(("lambdas", "count"), [((-1.0, -0.5), 1), ((), 1), ((-1.0, 0.5), 0)])
def test_the_check_knows_a_finder_without_a_shift_towards_the_probe(lambdas, count):
    descriptor = next(one for one in sidelight_explorer.sidelight_explainers() if one.name == "line-search")
    given = Given(params={"attribute_finder": attrs.evolve(FEW, lambdas=lambdas)})
    assert len(list(descriptor.misfits(LineSearchParams(), given))) == count
    assert not list(descriptor.misfits(LineSearchParams(), Given()))
