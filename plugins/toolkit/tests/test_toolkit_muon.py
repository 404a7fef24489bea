import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_toolkit.muon import Muon, is_matrix, orthogonal


@given(rows=st.integers(2, 24), columns=st.integers(2, 24), seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_singular_values_become_nearly_equal_and_vectors_stay(rows, columns, seed, scale):
    random = torch.Generator().manual_seed(seed)
    u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=random), full_matrices=False)
    values = torch.linspace(1, 4, min(rows, columns))
    made = orthogonal(scale * u @ values.diag() @ v)
    inside = u.T @ made @ v.T
    assert ((inside.diag() > 0.6) & (inside.diag() < 1.3)).all()
    torch.testing.assert_close(made, u @ inside.diag().diag() @ v, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_steps_are_those_of_torch_for_matrices(shape):
    torch.manual_seed(0)
    start, slopes = torch.randn(shape), torch.randn(4, *shape)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    pairs = (
        (ours, Muon([{"params": [ours], "lr": 0.1}], torch.bfloat16)),
        (theirs, torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")),
    )
    for slope in slopes:
        for weight, optimizer in pairs:
            weight.grad = slope.clone()
            optimizer.step()
    assert (ours - start).abs().max() > 0.01
    torch.testing.assert_close(ours, theirs, atol=6e-3, rtol=0)  # bfloat16


def test_a_kernel_is_a_matrix_of_outputs_by_the_rest():
    torch.manual_seed(1)
    kernel = torch.nn.Parameter(torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last))
    matrix = torch.nn.Parameter(kernel.detach().flatten(1).clone())
    slope = torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
    kernel.grad, matrix.grad = slope, slope.flatten(1)
    Muon([{"params": [kernel, matrix], "lr": 0.1}]).step()
    torch.testing.assert_close(kernel.flatten(1), matrix)


@pytest.mark.parametrize(("shape", "expected"), [((3,), False), ((1, 5), False), ((5, 1, 1), False), ((2, 3, 3), True)])
def test_vectors_are_no_matrices(shape, expected):
    assert is_matrix(torch.zeros(shape)) == expected


def test_weights_without_a_gradient_stay():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    Muon([{"params": [weight], "lr": 0.1}]).step()
    assert torch.equal(weight, torch.ones(2, 2))


def test_a_gradient_of_zero_moves_nothing():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.zeros(2, 2)
    Muon([{"params": [weight], "lr": 0.1}]).step()
    assert torch.equal(weight, torch.ones(2, 2))
