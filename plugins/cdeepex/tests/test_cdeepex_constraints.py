import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_cdeepex.constraints import BelowPredicted, BelowProbe, EqualLikelihood, Question, evaluate, violations

FAMILIES = EqualLikelihood(), BelowPredicted(0.1), BelowProbe(0.1)
QUESTION = Question(torch.tensor([0, 2]), torch.tensor([1, 0]))
LOGITS = torch.tensor([[3.0, 2.5, 2.8, -1.0], [1.0, -9.0, 1.0, 0.5]])


def test_violations_by_hand():
    found = violations(FAMILIES, LOGITS, QUESTION)
    torch.testing.assert_close(found["predicted = probe"], torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(found["no third class above predicted"], torch.tensor([0.0, 0.0]))
    torch.testing.assert_close(found["no third class above probe"], torch.tensor([0.4, 0.0]))


def test_a_third_class_above_counts_as_a_positive_value():
    """The paper's equation 3 has the opposite sign, and would push third classes up."""
    values = BelowPredicted(0.0)(torch.tensor([[1.0, 1.0, 4.0]]), Question(torch.tensor([0]), torch.tensor([1])))
    torch.testing.assert_close(values, torch.tensor([[-1.0, -1.0, 3.0]]))


def test_two_classes_have_no_third():
    logits = torch.tensor([[0.2, -0.2]])
    found = violations(FAMILIES, logits, Question(torch.tensor([0]), torch.tensor([1])))
    assert found["predicted = probe"].item() == pytest.approx(0.4)
    assert found["no third class above predicted"].item() == found["no third class above probe"].item() == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=7), st.data())
def test_logits_and_log_likelihoods_give_the_same_values(numbers, data):
    logits = torch.tensor([numbers], dtype=torch.float64)
    predicted = data.draw(st.integers(0, len(numbers) - 1))
    probe = data.draw(st.integers(0, len(numbers) - 1))
    question = Question(torch.tensor([predicted]), torch.tensor([probe]))
    raw, normalised = (evaluate(FAMILIES, x, question) for x in (logits, logits.log_softmax(1)))
    torch.testing.assert_close(raw.equality, normalised.equality)
    torch.testing.assert_close(raw.inequality, normalised.inequality)


def test_only_third_classes_have_a_gradient_of_their_own():
    logits = LOGITS.clone().requires_grad_(True)
    values = BelowProbe(0.1)(logits, QUESTION)
    (gradient,) = torch.autograd.grad(values[0].sum(), logits)
    torch.testing.assert_close(gradient, torch.tensor([[0.0, -2.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]))
