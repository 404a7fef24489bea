import pytest
import torch
from sidelight_cdeepex.generators.autoencoder import Ae
from sidelight_cdeepex.params import AeParams
from sidelight_specs import NotFittedError
from sidelight_specs.testing import ToyData, ToyRun

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def trained():
    run = ToyRun()
    ae = Ae(AeParams(latent=6, width=8, steps=150, batch=24, rate=0.01), run=run)
    ae.fit(ToyData())
    return ae, run


def test_unseen_images_are_reproduced_better_than_by_their_mean(trained):
    ae, _ = trained
    train, test = (torch.from_numpy(ToyData().split(name).images) for name in ("train", "test"))
    error = (ae.synthesize(ae.encode(test)) - test).square().mean()
    assert error < 0.4 * (train.mean(0) - test).square().mean()


def test_codes_of_the_training_images_are_standardised(trained):
    codes = trained[0].encode(torch.from_numpy(ToyData().split("train").images))
    assert codes.mean(0).abs().max() < 0.2
    assert (codes.std(0) - 1).abs().max() < 0.2


def test_training_lowers_the_loss_and_leaves_its_traces(trained):
    ae, run = trained
    losses = ae.state().curves["loss"]
    assert losses[-20:].mean() < 0.1 * losses[:5].mean()
    assert list(run.emitted) == ["training images", "reconstructions", "samples"]


def test_untrained_is_an_error():
    ae = Ae(AeParams(), run=ToyRun())
    for use in (lambda: ae.image_shape, lambda: ae.encode(torch.zeros(1, 1, 32, 32)), ae.state):
        with pytest.raises(NotFittedError, match="ae was not trained"):
            use()
