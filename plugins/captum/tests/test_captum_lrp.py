"""LRP against a second implementation: every layer as a dense matrix of double precision, the epsilon rule by hand."""

import captum.attr
import numpy as np
import pytest
import torch
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from sidelight_captum.lrp import Lrp
from sidelight_captum.params import LrpParams
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun
from sidelight_toolkit.relevance import flat_rule
from torch import nn
from torch.nn import functional

EPSILON = 0.02


def matrix_of(layer, shape):
    """(outputs, inputs) of an affine layer, found by trying every input alone; and its output for a zero image."""
    basis = torch.eye(int(np.prod(shape))).reshape(-1, *shape)
    zero = layer(torch.zeros(1, *shape)).double()
    return (layer(basis).double() - zero).flatten(1).T.numpy(), zero.flatten().numpy()


def winners(value, side):
    """(outputs, inputs) of a max pooling without overlap, for one (C, H, W) input: 1 at each window's maximum."""
    channels, height, width = value.shape
    rows = []
    for channel in range(channels):
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                window = value[channel, top : top + side, left : left + side]
                y, x = np.unravel_index(int(window.argmax()), window.shape)
                row = np.zeros(value.shape)
                row[channel, top + y, left + x] = 1
                rows.append(row.ravel())
    return np.stack(rows)


def by_hand(layers, image, node):
    """(C, H, W): Bach et al. 2015, equation 58, from the raw output `node` back to the pixels."""
    values, steps = image.double().numpy(), []
    for layer in layers:
        if isinstance(layer, nn.Flatten):
            values = values.ravel()
        elif isinstance(layer, nn.ReLU):
            values = values.clip(0)
        else:
            single = torch.from_numpy(values).float()[None]
            if isinstance(layer, nn.MaxPool2d):
                matrix, zero = winners(values, layer.kernel_size), 0.0
            else:
                matrix, zero = matrix_of(layer, values.shape)
            steps.append((values.ravel(), matrix, matrix @ values.ravel() + zero))
            values = steps[-1][2].reshape(layer(single).shape[1:])
    relevance = np.zeros(values.shape)
    relevance[node] = values[node]
    relevance = relevance.ravel()
    for inputs, matrix, outputs in reversed(steps):
        shares = relevance / (outputs + EPSILON * np.where(outputs < 0, -1, 1))
        relevance = inputs * (matrix.T @ shares)
    return relevance.reshape(image.shape)


def merged(network):
    """The layers with the batch normalisation and the convolution before it as one."""
    return [nn.Sequential(network[0], network[1]), *network[2:]]


@pytest.mark.parametrize("channels", ["sum", "max"])
@pytest.mark.parametrize(
    ("task", "outputs", "side"),
    [
        ("multiclass", 4, "predicted"),
        ("multiclass", 4, "contrast"),
        ("binary", 1, "probe"),
        ("binary", 1, "contrast"),
        ("regression", 1, "predicted"),
    ],
)
def test_lrp_by_the_epsilon_rule(task, outputs, side, channels, network, classify, images, ask):
    module, few = network(outputs), images[:2]
    classifier = classify(module, task)
    targets = ask(classifier, few)
    params = LrpParams(target=side, epsilon=EPSILON, channels=channels, batch=2)
    result = Lrp(params, classifier=classifier, run=ToyRun()).explain(few, targets)
    expected = []
    for image, predicted, probe in zip(few, targets.predicted, targets.probe, strict=True):
        terms = {"predicted": [(predicted, 1)], "probe": [(probe, 1)], "contrast": [(predicted, 1), (probe, -1)]}[side]
        total = np.zeros(image.shape)
        for index, sign in terms:
            factor = {"multiclass": 1, "binary": index - 0.5, "regression": 1}[task]
            total += sign * factor * by_hand(merged(module), image, index if task == "multiclass" else 0)
        expected.append(total.sum(0) if channels == "sum" else np.abs(total).max(0))
    scale = np.abs(expected).max()
    assert scale > 1e-4
    assert np.abs(result.values - np.stack(expected)).max() <= 1e-5 * scale
    assert result.answers == side
    assert result.signed is (channels == "sum")


class Prepared(nn.Module):
    """Resizes and normalises before a plain network, as classifiers of the digits and of ImageNet do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        larger = functional.interpolate(images, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
        return self.inner((larger - 0.4) / torch.tensor([0.2, 0.3])[:, None, None])


def test_preprocessing_hands_back_what_it_was_given(images):
    """Relevance of the resized image goes to each pixel by its share in it, found by resizing single pixels."""
    pixels = images.clone().requires_grad_()
    prepared = Prepared(nn.Identity())(pixels)
    relevance = torch.randn(3, 2, 36, 30, generator=torch.Generator().manual_seed(1))
    result = flat_rule(pixels, prepared, relevance)
    basis = torch.eye(24 * 20).reshape(-1, 1, 24, 20)
    shares = functional.interpolate(basis, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
    expected = torch.einsum("phw,nchw->ncp", shares[:, 0], relevance).reshape(3, 2, 24, 20)
    assert torch.allclose(result, expected, rtol=0, atol=1e-5)
    assert torch.allclose(result.sum((1, 2, 3)), relevance.sum((1, 2, 3)), rtol=0, atol=1e-3)


def test_relevance_goes_through_the_preprocessing(network, classify, images, ask):
    """What the first layer gets is what LRP gives for that image without preprocessing; black pixels have a share."""
    inner = network()
    prepared = Prepared(inner).eval()
    few = images[:1].clone()
    few[:, :, :6] = 0
    classifier = classify(prepared)
    targets = ask(classifier, few)
    result = Lrp(LrpParams(epsilon=EPSILON), classifier=classifier, run=ToyRun()).explain(few, targets)
    larger = functional.interpolate(few, size=(36, 30), mode="bilinear", align_corners=False, antialias=True)
    normalised = (larger - 0.4) / torch.tensor([0.2, 0.3])[:, None, None]
    plain = Lrp(LrpParams(epsilon=EPSILON), classifier=classify(inner), run=ToyRun()).explain(normalised, targets)
    assert np.abs(result.values.sum() - plain.values.sum()) <= 1e-4 * np.abs(plain.values).sum()
    assert np.abs(result.values[0, :4]).max() > 0.01 * np.abs(result.values).max()


def test_functions_in_place_of_modules(network, classify, images, ask):
    """ReLU, max pooling and flattening written as functions give what the modules give, but for epsilon."""

    class Functional(nn.Module):
        def __init__(self, plain):
            super().__init__()
            self.conv1, self.conv2, self.pool, self.fc1, self.fc2 = plain[0], plain[4], plain[6], plain[8], plain[10]
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            x = functional.max_pool2d(torch.relu(self.conv1(x)), 2)
            x = self.pool(self.conv2(x).relu_())
            return self.fc2(self.drop(functional.relu(self.fc1(x.view(x.size(0), -1)))))

    plain = network()
    plain[1] = nn.Identity()
    result = []
    for module in (plain, Functional(plain).eval()):
        classifier = classify(module)
        lrp = Lrp(LrpParams(epsilon=1e-7), classifier=classifier, run=ToyRun())
        result.append(lrp.explain(images, ask(classifier, images)))
    assert np.abs(result[0].values).max() > 1e-3
    assert np.abs(result[0].values - result[1].values).max() <= 1e-5 * np.abs(result[0].values).max()


class Between(nn.Module):
    """Two linear layers with any function between them."""

    def __init__(self, function):
        super().__init__()
        self.one, self.two, self.function = nn.Linear(960, 8), nn.Linear(8, 4), function

    def forward(self, images):
        return self.two(self.function(self.one(images.flatten(1))))


def relevance(module, images, classify, ask, **options):
    """Heatmaps for the predicted class, and its logits."""
    classifier = classify(module)
    targets = ask(classifier, images)
    result = Lrp(LrpParams(**{"epsilon": 1e-9, **options}), classifier=classifier, run=ToyRun()).explain(
        images, targets
    )
    with torch.no_grad():
        logits = classifier.class_logits(images).gather(1, torch.from_numpy(targets.predicted)[:, None])[:, 0]
    return result.values, logits.numpy()


def test_clamped_preprocessing_hands_back_what_is_not_clamped(network, classify, images, ask):
    """Bicubic resizing is clamped to [0, 1], which changes nothing here."""

    class Clamped(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, images):
            return self.inner(images.clamp(0, 1))

    inner = network()
    targets = ask(classify(inner), images)
    found, plain = (
        Lrp(LrpParams(), classifier=classify(module), run=ToyRun()).explain(images, targets).values
        for module in (Clamped(inner), inner)
    )
    assert np.abs(found - plain).max() <= 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (Between(torch.exp), "it uses exp"),
        (Between(torch.abs), "it uses abs"),
        (Between(lambda x: functional.relu(x * x.flip(1))), "multiplies values with each other before relu"),
        (Between(lambda x: x * x.flip(1)), "ends in a softmax, sigmoid or product"),
        (Between(lambda x: x / x.sum(1, keepdim=True)), r"divides values by each other \(div\)"),
        (Between(lambda x: x.detach()), "it uses detach"),
        (nn.Sequential(Between(nn.Identity()), nn.Softmax(1)), "ends in a softmax"),
        (nn.Sequential(nn.Flatten(), nn.ReLU()), "before its first layer it uses relu"),
        (nn.Flatten(), "no layer with a rule"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(module, named, images, classify, ask):
    with pytest.raises(UserError, match=named) as caught:
        relevance(module, images, classify, ask)
    assert "grad-cam" in caught.value.fix


def test_images_that_enter_twice_are_refused(images, classify, ask):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(960, 4), nn.Linear(480, 4)

        def forward(self, x):
            return self.one(x.flatten(1)) + self.two(x[:, 0].flatten(1))

    with pytest.raises(UserError, match="more than once"):
        relevance(Twice(), images, classify, ask)


class Pooled(nn.Module):
    """Conv-ReLU-AvgPool-Flatten-Linear, which a user would write first."""

    def __init__(self, bias=True):
        super().__init__()
        layers = (nn.Conv2d(2, 6, 5, bias=bias), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(480, 4, bias=bias))
        self.layers = nn.Sequential(*layers)

    def forward(self, images):
        return self.layers(images)


def random(module):
    torch.manual_seed(11)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    return module.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def untouched_generator():
    state = torch.random.get_rng_state()
    yield
    torch.random.set_rng_state(state)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(
    ("rule", "theirs", "bias"), [("epsilon", EpsilonRule, True), ("z-plus", Alpha1_Beta0_Rule, False)]
)
def test_captums_own_lrp_agrees_where_it_applies(rule, theirs, bias, images, classify, ask):
    """Its z-plus keeps negative biases, Bach et al. take b+."""
    module = random(Pooled(bias))
    result, _ = relevance(module, images, classify, ask, rule=rule)
    for layer in module.layers:
        layer.rule = theirs() if hasattr(layer, "weight") else EpsilonRule()
    targets = ask(classify(module), images)
    expected = captum.attr.LRP(module).attribute(images.clone(), target=torch.from_numpy(targets.predicted)).sum(1)
    assert np.abs(result - expected.detach().numpy()).max() <= 1e-5 * float(expected.detach().abs().max())


@pytest.mark.parametrize("rule", ["epsilon", "z-plus", "alpha-beta"])
def test_relevance_adds_up_to_the_score_without_biases(rule, images, classify, ask):
    result, logits = relevance(random(Pooled(bias=False)), images, classify, ask, rule=rule)
    assert np.abs(result.sum((1, 2)) - logits).max() <= 1e-4 * np.abs(result).sum((1, 2)).max()


def test_z_plus_hands_on_all_of_the_score_and_only_its_sign(images, classify, ask):
    """Also beside biases; without them it is alpha = 1."""
    result, logits = relevance(random(Pooled()), images, classify, ask, rule="z-plus")
    assert (result * np.sign(logits)[:, None, None] >= 0).all()
    assert np.abs(result.sum((1, 2)) - logits).max() <= 1e-4 * np.abs(logits).max()
    alone, _ = relevance(random(Pooled(bias=False)), images, classify, ask, rule="z-plus")
    other, _ = relevance(random(Pooled(bias=False)), images, classify, ask, rule="alpha-beta", alpha=1.0)
    assert np.array_equal(alone, other)


def test_alpha_beta_by_hand(images, classify, ask):
    """Equation 60 with biases, of one linear layer whose inputs have both signs."""
    module = random(nn.Sequential(nn.Flatten(), nn.Linear(960, 4)))
    inputs = images - 0.5
    result, _ = relevance(module, inputs, classify, ask, rule="alpha-beta", alpha=3.0)
    weight, bias = module[1].weight.double(), module[1].bias.double()
    expected = []
    for x in inputs.double().flatten(1):
        node = int((weight @ x + bias).argmax())
        z, score = weight[node] * x, float(weight[node] @ x + bias[node])
        plus, minus = z.clamp(min=0), z.clamp(max=0)
        shares = 3 * plus / (plus.sum() + bias[node].clamp(min=0)) - 2 * minus / (minus.sum() + bias[node].clamp(max=0))
        expected.append((shares * score).reshape(2, 24, 20).sum(0).numpy())
    assert np.abs(result - np.stack(expected)).max() <= 1e-5 * np.abs(expected).max()


def test_a_residual_network_by_hand(residual, images, classify, ask):
    """Batch normalisation inside a block, a skip connection split in proportion, and one ReLU used twice in place."""
    image = images[:1]
    result, _ = relevance(residual, image, classify, ask, epsilon=EPSILON)
    net, shape = residual, (6, 12, 10)
    stem = matrix_of(net.stem, image.shape[1:])
    inner = matrix_of(nn.Sequential(net.conv1, net.bn1), shape)
    outer = matrix_of(net.conv2, shape)
    x = image.double().numpy().ravel()
    z1 = stem[0] @ x + stem[1]
    a1 = z1.clip(0)
    z2 = inner[0] @ a1 + inner[1]
    a2 = z2.clip(0)
    z3 = outer[0] @ a2 + outer[1]
    z4 = z3 + a1
    a4 = z4.clip(0)
    mean = np.kron(np.eye(6), np.full((1, 120), 1 / 120))
    z5 = mean @ a4
    head = net.fc.weight.double().numpy()
    z6 = head @ z5 + net.fc.bias.double().numpy()

    def back(inputs, matrix, outputs, relevance):
        return inputs * (matrix.T @ (relevance / (outputs + EPSILON * np.where(outputs < 0, -1, 1))))

    start = np.where(np.arange(4) == z6.argmax(), z6, 0)
    summed = back(a4, mean, z5, back(z5, head, z6, start))
    both = summed / (z4 + EPSILON * np.where(z4 < 0, -1, 1))
    through = back(a1, inner[0], z2, back(a2, outer[0], z3, z3 * both))
    expected = back(x, stem[0], z1, through + a1 * both).reshape(2, 24, 20).sum(0)
    assert np.abs(expected).max() > 1e-4
    assert np.abs(result[0] - expected).max() <= 1e-5 * np.abs(expected).max()


class Attending(nn.Module):
    """A transformer's block on the rows of an image: layer normalisation, attention, GELU, sums."""

    def __init__(self, fused):
        super().__init__()
        self.embed, self.norm, self.qkv = nn.Linear(40, 8), nn.LayerNorm(8), nn.Linear(8, 24)
        self.proj, self.mlp, self.head = nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 16), nn.GELU()), nn.Linear(16, 4)
        self.fused = fused

    def forward(self, x):
        x = self.embed(x.permute(0, 2, 1, 3).flatten(2))
        if self.fused == "torch":
            tokens = self.norm(x).transpose(0, 1)
            qkv, out = (self.qkv.weight, self.qkv.bias), (self.proj.weight, self.proj.bias)
            mixed, _ = functional.multi_head_attention_forward(
                tokens, tokens, tokens, 8, 1, *qkv, None, None, False, 0.0, *out, training=False, need_weights=False
            )
            return self.head(self.mlp(x + mixed.transpose(0, 1)).mean(1))
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q @ k.transpose(1, 2) / 8**0.5).softmax(-1) @ v
        x = x + self.proj(mixed)
        return self.head(self.mlp(x).mean(1))


def test_attention_weights_are_constants(images, classify, ask):
    """Fused, as in `nn.MultiheadAttention` and spelled out: the same, and without biases it adds up to the score."""
    result = []
    for fused in (True, False, "torch"):
        module = random(Attending(fused))
        for part in module.modules():
            if getattr(part, "bias", None) is not None:
                part.bias.zero_()
        values, logits = relevance(module, images, classify, ask)
        assert np.abs(values.sum((1, 2)) - logits).max() <= 1e-3 * np.abs(values).sum((1, 2)).max()
        result.append(values)
    assert np.abs(result[0] - result[1]).max() <= 1e-4 * np.abs(result[0]).max()
    assert np.abs(result[0] - result[2]).max() <= 1e-4 * np.abs(result[0]).max()


class Cosine(Attending):
    """Cosine attention as in Swin V2, with heads that talk by a linear layer as in CaiT, and a mask made anew."""

    def forward(self, x, fixed=None):
        x = self.embed(x.permute(0, 2, 1, 3).flatten(2))
        q, k, v = (each.unflatten(-1, (2, 4)).transpose(1, 2) for each in self.qkv(self.norm(x)).chunk(3, -1))
        products = functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).transpose(-2, -1)
        products = products + x.new_zeros(products.shape[-2:])
        talk = torch.tensor([[0.7, 0.3], [0.4, 0.6]])
        weights = functional.linear(products.permute(0, 2, 3, 1), talk).permute(0, 3, 1, 2).softmax(-1)
        self.weights = weights = weights if fixed is None else fixed
        x = x + self.proj((weights @ v).transpose(1, 2).flatten(2))
        return self.head(self.mlp(x).mean(1))


def test_cosine_attention_with_talking_heads_is_constant(images, classify, ask):
    """The same relevance as with weights that are given from outside."""

    class Fixed(nn.Module):
        def __init__(self, inner, weights):
            super().__init__()
            self.inner, self.weights = inner, weights

        def forward(self, x):
            return self.inner(x, self.weights)

    module = random(Cosine(False))
    values, _ = relevance(module, images, classify, ask)
    with torch.no_grad():
        module(images)
    expected, _ = relevance(Fixed(module, module.weights), images, classify, ask)
    assert np.abs(values - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_norm_is_held_fixed(images, classify, ask):
    """Normalising values, and multiplying them with what it did to them, hand back the same."""

    class Normalised(nn.Module):
        def __init__(self, factors=None):
            super().__init__()
            self.first, self.head, self.factors = nn.Linear(40, 8), nn.Linear(8, 4), factors

        def forward(self, x):
            x = self.first(x.permute(0, 2, 1, 3).flatten(2))
            return self.head((functional.normalize(x, dim=-1) if self.factors is None else x * self.factors).mean(1))

    module = random(Normalised())
    with torch.no_grad():
        x = module.first(images.permute(0, 2, 1, 3).flatten(2))
    values, _ = relevance(module, images, classify, ask)
    expected, _ = relevance(random(Normalised(1 / x.norm(dim=-1, keepdim=True))), images, classify, ask)
    assert np.abs(values - expected).max() <= 1e-4 * np.abs(expected).max()


class Gated(nn.Module):
    """Squeeze-and-excitation and concatenation."""

    def __init__(self):
        super().__init__()
        self.conv, self.squeeze, self.fc = (
            nn.Conv2d(2, 3, 3, bias=False),
            nn.Conv2d(3, 3, 1),
            nn.Linear(6, 4, bias=False),
        )

    def forward(self, x):
        x = functional.silu(self.conv(x))
        gated = x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))
        return self.fc(torch.cat([gated, x], 1).mean((2, 3)))


def test_gates_are_constants(images, classify, ask):
    result, logits = relevance(random(Gated()), images, classify, ask)
    assert np.abs(result.sum((1, 2)) - logits).max() <= 1e-4 * np.abs(result).sum((1, 2)).max()


def test_pooled_tokens_hand_back(images, classify, ask):
    """Pooled by a layer as by a mean, as Swin transformers do either."""
    layers = nn.Flatten(2), nn.Linear(480, 6, bias=False), nn.ReLU()
    pooled = random(nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2, 4, bias=False)))
    mean = nn.Sequential(*layers, Mean(), pooled[5]).eval()
    result, logits = relevance(pooled, images, classify, ask)
    other, _ = relevance(mean, images, classify, ask)
    assert np.abs(result.sum((1, 2)) - logits).max() <= 1e-4 * np.abs(result).sum((1, 2)).max()
    assert np.abs(result - other).max() <= 1e-6 * np.abs(result).max()


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(2)


def test_a_shared_layer_hands_back_from_every_use(images, classify, ask):
    """Twice the same linear layer is as two with the same weights."""
    shared = random(nn.Linear(8, 8))
    twin = nn.Linear(8, 8)
    twin.load_state_dict(shared.state_dict())
    result = []
    for second in (shared, twin):
        module = Between(nn.Sequential(shared, nn.ReLU(), second))
        for number, part in enumerate((module.one, module.two)):
            torch.manual_seed(number)
            part.reset_parameters()
        result.append(relevance(module.eval(), images, classify, ask, epsilon=EPSILON)[0])
    assert np.abs(result[0]).max() > 1e-4
    assert np.array_equal(*result)


@pytest.mark.parametrize("name", ["pooled", "residual", "attending"])
def test_a_file_of_the_users_own(name, residual, classify, ask, tmp_path):
    """A .pt2 file gives the relevance of the module that it was made from."""
    torch_model = pytest.importorskip("sidelight_classifiers.files.torch_model")
    from sidelight_classifiers.params import TorchParams

    colour = torch.rand(2, 3, 24, 20, generator=torch.Generator().manual_seed(2))
    narrowed = nn.Conv2d(3, 2, 1)
    inner = {"pooled": random(Pooled()), "residual": residual, "attending": random(Attending(True))}[name]
    module = nn.Sequential(random(narrowed), inner).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(module, (colour,), dynamic_shapes=({0: batch},)), tmp_path / "m.pt2")
    params = TorchParams(path=str(tmp_path / "m.pt2"), classes=tuple("abcd"), channels=3, height=24, width=20)
    classifier = torch_model.TorchModel(params, run=ToyRun())
    expected, _ = relevance(module, colour, classify, ask, epsilon=EPSILON)
    lrp = Lrp(LrpParams(epsilon=EPSILON), classifier=classifier, run=ToyRun())
    result = lrp.explain(colour, ask(classifier, colour)).values
    assert np.abs(expected).max() > 1e-4
    assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(network, images, classify, ask):
    classifier = classify(network())
    targets = ask(classifier, images)
    classifier._module = torch.jit.trace(classifier.module, images)
    with pytest.raises(UserError, match="TorchScript file hides") as caught:
        Lrp(LrpParams(), classifier=classifier, run=ToyRun()).explain(images, targets)
    assert "export the model as .pt2" in caught.value.fix


def test_a_contrast_of_a_regression_is_refused(network, classify, images, ask):
    classifier = classify(network(1), "regression")
    with pytest.raises(UserError, match="regression"):
        Lrp(LrpParams(target="contrast"), classifier=classifier, run=ToyRun()).explain(images, ask(classifier, images))
