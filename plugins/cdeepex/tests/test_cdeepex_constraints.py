import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_cdeepex.cdeepex import equation_2

PAIR = torch.tensor([[0, 2], [1, 0]])
LOGITS = torch.tensor([[3.0, 2.5, 2.8, -1.0], [1.0, -9.0, 1.0, 0.5]])


def violations(logits, pair, epsilon=0.1):
    return {name: values.violation() for name, values in equation_2(logits, pair, epsilon).items()}


def test_violations_by_hand():
    amounts = violations(LOGITS, PAIR)
    torch.testing.assert_close(amounts["predicted = probe"], torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(amounts["no third class above predicted"], torch.tensor([0.0, 0.0]))
    torch.testing.assert_close(amounts["no third class above probe"], torch.tensor([0.4, 0.0]))


def test_without_a_margin_only_the_two_classes_count():
    assert list(violations(LOGITS, PAIR, None)) == ["predicted = probe"]


def test_a_lead_of_the_probe_compares_third_classes_with_it_alone():
    families = equation_2(LOGITS, PAIR, 0.1, 2.0)
    assert list(families) == ["probe leads by 2 nats", "no third class above probe"]
    torch.testing.assert_close(families["probe leads by 2 nats"].g, torch.tensor([[2.5], [2.0]]))
    same = equation_2(LOGITS, torch.tensor([[0, 2], [0, 2]]), None, 2.0)["probe leads by 2 nats"]
    assert not same.g.any()


def test_a_third_class_above_counts_as_a_positive_value():
    """The paper's equation 3 has the opposite sign, and would push third classes up."""
    families = equation_2(torch.tensor([[1.0, 1.0, 4.0]]), torch.tensor([[0], [1]]), 0.0)
    torch.testing.assert_close(families["no third class above predicted"].g, torch.tensor([[-1.0, -1.0, 3.0]]))


def test_two_classes_have_no_third():
    amounts = violations(torch.tensor([[0.2, -0.2]]), torch.tensor([[0], [1]]))
    assert amounts["predicted = probe"].item() == pytest.approx(0.4)
    assert amounts["no third class above predicted"].item() == amounts["no third class above probe"].item() == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=7), st.data())
def test_logits_and_log_likelihoods_give_the_same_values(numbers, data):
    logits = torch.tensor([numbers], dtype=torch.float64)
    pair = torch.tensor([[data.draw(st.integers(0, len(numbers) - 1))] for _ in range(2)])
    raw, normalised = (equation_2(x, pair, 0.1) for x in (logits, logits.log_softmax(1)))
    for name, values in raw.items():
        torch.testing.assert_close(values.h, normalised[name].h)
        torch.testing.assert_close(values.g, normalised[name].g)


def test_only_third_classes_have_a_gradient_of_their_own():
    logits = LOGITS.clone().requires_grad_(True)
    values = equation_2(logits, PAIR, 0.1)["no third class above probe"]
    (gradient,) = torch.autograd.grad(values.g[0].sum(), logits)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, -2.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]))
