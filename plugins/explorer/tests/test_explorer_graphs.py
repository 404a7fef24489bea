"""Graphs of models compute in the page what torch computes."""

import numpy as np
import pytest
import torch
from sidelight_explorer.offline_graph import Constants, NotPortable, recorded
from sidelight_ui.bundle import bundle, reader
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.browser

MATRIX = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
WEIGHT = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(2))
KERNEL = torch.randn(4, 6, 3, 3, generator=torch.Generator().manual_seed(3))


def _shuffled(x):
    return functional.pixel_shuffle(x, 2)


def _attended(x):
    rows = x.reshape(1, 4, 3, -1)
    return functional.scaled_dot_product_attention(rows, rows * 0.5, rows + 1)


def _in_place(x):
    y = x * 2
    y.clamp_(-1, 1)
    return y + 1


NORM = nn.BatchNorm2d(4).eval().requires_grad_(False)
NORM.running_mean.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
NORM.running_var.copy_(torch.tensor([0.5, 1.5, 2.0, 0.1]))

FUNCTIONS = {  # of (1, 4, 6, 6) images
    "places": lambda x: (x.sigmoid() * x.tanh() - x.abs().sqrt() / (x.exp() + 1)).relu() + x.clamp(-0.5, 0.5),
    "places of numbers": lambda x: 2 - x**2 + 3 * functional.leaky_relu(x, 0.2) - 1 / (x * x + 1),
    "activations": lambda x: functional.gelu(x) + functional.silu(x) + functional.elu(x) + functional.softplus(x),
    "more activations": lambda x: functional.hardswish(x) + functional.relu6(x) + functional.hardsigmoid(x) + x.erf(),
    "approximate gelu": lambda x: functional.gelu(x, approximate="tanh") + functional.mish(x),
    "broadcast": lambda x: x * x.mean((2, 3), keepdim=True) + x[:, :1] - x[:, :, :1, :1],
    "maximum": lambda x: torch.maximum(x, x.flip(3)) - torch.minimum(x, x.mean()),
    "where": lambda x: torch.where(x > 0, x * 2, x - 1),
    "sums": lambda x: x.sum((1, 3)) + x.mean(1).mean(2) + x.amax((1, 2)),
    "variance": lambda x: x.var((2, 3)) + x.square().sum((2, 3)).rsqrt(),
    "softmax": lambda x: x.softmax(1) + x.log_softmax(-1),
    "layout": lambda x: torch.cat([x.permute(0, 1, 3, 2)[:, ::2], x[:, 1:2].expand(-1, 2, -1, -1)], 1).flatten(1),
    "repeat": lambda x: x[:, :2].repeat(1, 2, 1, 3) + functional.pad(x, (0, 12)),
    "padding": lambda x: functional.pad(x, (1, 2, -1, 3), value=0.5),
    "channels innermost": lambda x: x.contiguous(memory_format=torch.channels_last) + x.transpose(2, 3),
    "in place": _in_place,
    "shuffle": lambda x: functional.pixel_unshuffle(_shuffled(x), 2) + x,
    "linear": lambda x: functional.linear(x.flatten(2).mean(2), MATRIX[:, :4], MATRIX[:, 4]),
    "product": lambda x: x[0] @ x[0].transpose(1, 2),
    "attention": _attended,
    "convolution": lambda x: functional.conv2d(x, WEIGHT, MATRIX[:, 0], stride=2, padding=1),
    "dilated": lambda x: functional.conv2d(x, WEIGHT, dilation=2, padding=2),
    "depthwise": lambda x: functional.conv2d(x, WEIGHT[:4, :1], padding=1, groups=4),
    "groups": lambda x: functional.conv2d(x, WEIGHT[:, :2], padding=(0, 1), groups=2),
    "transposed": lambda x: functional.conv_transpose2d(x, KERNEL, MATRIX[:, 0], stride=2, padding=1, output_padding=1),
    "transposed groups": lambda x: functional.conv_transpose2d(x, WEIGHT[:4, :3], stride=2, groups=2),
    "weights of its own": lambda x: functional.conv2d(x, WEIGHT * x.mean((2, 3))[:, :, None, None]),
    "transposed weights": lambda x: functional.conv_transpose2d(x, WEIGHT[:4, :3] * x[0, :, :1, :1, None], stride=2),
    "batch norm": NORM,
    "layer norm": lambda x: functional.layer_norm(x, (6, 6)) + functional.group_norm(x, 2),
    "pooling": lambda x: functional.max_pool2d(x, 3, 2, 1) + functional.avg_pool2d(x, 2),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, (3, 2)).flatten(1),
    "smaller": lambda x: functional.interpolate(x, size=(4, 5), mode="bilinear", antialias=True),
    "nearest": lambda x: functional.interpolate(x, scale_factor=2, mode="nearest"),
    "bicubic": lambda x: functional.interpolate(x, size=12, mode="bicubic"),
}
SCRIPT = """async ({ script, constants, graphs }) => {
  const { Runtime } = new Function(`${script}; return m_local_runtime;`)();
  const runtime = await Runtime.of(constants);
  return graphs.map(({ graph, x }) => {
    const compute = runtime.compile(graph);
    compute(Float32Array.from(x, (value) => value + 1)); // what an earlier call left behind changes nothing
    return Array.from(compute(Float32Array.from(x)));
  });
}"""


def test_every_operator_gives_what_torch_gives(chromium):
    constants, x = Constants(), torch.randn(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    graphs = {name: recorded(function, torch.full_like(x, 0.25), constants) for name, function in FUNCTIONS.items()}
    page = chromium.new_page()
    wish = {
        "script": bundle("local-runtime", reader("sidelight_explorer")),
        "constants": constants.plain(),
        "graphs": [{"graph": graph.plain(), "x": x.flatten().tolist()} for graph in graphs.values()],
    }
    results = dict(zip(graphs, page.evaluate(SCRIPT, wish), strict=True))
    page.close()
    for name, function in FUNCTIONS.items():
        expected = function(x)
        assert graphs[name].shape == tuple(expected.shape), name
        np.testing.assert_allclose(results[name], expected.flatten().numpy(), rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.sort().values, "aten.sort"),
        (lambda x: x.cummax(1).values, "aten.cummax"),
        (lambda x: functional.conv1d(x[0], x[0, :, :, :3]), "not of one image"),
        (lambda x: x if x.sum() > 0 else -x, "_local_scalar_dense"),
        (lambda x: functional.batch_norm(x, None, None, training=True), "statistics"),
        (lambda x: x.double(), "float64"),
        (lambda x: x[:, 0].mul_(2) + x[:, 0], "in place|used elsewhere"),
        (lambda x: torch.zeros(3), "does not depend"),
    ],
)
def test_what_the_page_cannot_compute_is_refused_by_name(function, message):
    with pytest.raises(NotPortable, match=message):
        recorded(function, torch.ones(1, 4, 6, 6), Constants())


def test_an_array_that_half_precision_holds_takes_two_bytes_and_equal_arrays_are_kept_once():
    constants = Constants()
    half = np.array([0.5, -2.0, 1024.0, 2.0**-20], np.float32)
    assert constants.add(half) == constants.add(half.copy()) == 0
    constants.add(np.array([0.1], np.float32))
    assert constants.table == [[2, 0, 4], [4, 8, 1]]
    constants.add(np.array([1e9, np.inf], np.float32))
    assert constants.table[2][0] == 4
