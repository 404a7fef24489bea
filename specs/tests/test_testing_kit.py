"""The kit itself: it counts, it is strict about expected failures, and nothing disappears silently."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sidelight_specs import Cancelled, Need, UserError
from sidelight_specs.results import Heatmap
from sidelight_specs.testing import (
    ToyClassifier,
    ToyData,
    ToyGenerator,
    ToyInverter,
    ToyRun,
    Toys,
    component_tests,
    patterns,
    toy_explanation,
    toy_results,
    toy_targets,
)
from sidelight_specs.testing.compare import difference
from sidelight_specs.testing.discovery import components
from sidelight_specs.testing.plugin import summary
from sidelight_specs.testing.snapshots import changed, global_state, module_state

pytest_plugins = ["pytester"]

LIGHT = """
from sidelight_specs import MetricDescriptor, hookimpl
@hookimpl
def sidelight_metrics():
    yield MetricDescriptor(name="size", summary="Size.", factory="acme_kit.size:Size", accepts=("heatmap",))
"""
SIZE = """
import numpy as np
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
class Size(Metric):
    def __init__(self, params, *, run):
        pass
    def measure(self, explanation, images, targets):
        size = np.abs(explanation.values).sum((1, 2)).astype(np.float32)
        return Measurements(items=(Measurement(name="size", values=size, unit="units", help="The sum."),))
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A distribution with one metric, importable here and in pytest runs below."""
    info = tmp_path / "acme_kit-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-kit\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sidelight.v1.metric]\nsize = acme_kit\n")
    (tmp_path / "acme_kit").mkdir()
    (tmp_path / "acme_kit" / "__init__.py").write_text(LIGHT)
    (tmp_path / "acme_kit" / "size.py").write_text(SIZE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme_kit"]:
        del sys.modules[name]


def run_kit(pytester, arguments=""):
    pytester.makepyfile(f"""
        from sidelight_specs.testing import Toys, component_tests
        test_conformance = component_tests("acme-kit"{arguments})
    """)
    return pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-p", "no:xdist")


def test_the_number_of_checks_is_printed(plugin, pytester):
    result = run_kit(pytester)
    result.assert_outcomes(passed=22)
    result.stdout.fnmatch_lines(["*metric/size*22 passed", "acme-kit: 22 conformance checks were run"])


def test_a_number_of_checks_that_is_not_met_stops_the_collection(plugin, pytester):
    run_kit(pytester, ", checks=21").stdout.fnmatch_lines(["*acme-kit has 22 conformance checks, not 21*"])
    run_kit(pytester, ", checks=22").assert_outcomes(passed=22)


def test_expected_failures_are_strict(plugin, pytester):
    (plugin / "acme_kit" / "size.py").write_text(SIZE.replace('unit="units", ', ""))
    result = run_kit(pytester, ', expected_failures={("size", "measurements-say-what-they-mean"): "has no unit"}')
    result.assert_outcomes(passed=21, xfailed=1)
    result.stdout.fnmatch_lines(["*metric/size*21 passed, 1 expected to fail"])


def test_a_number_of_the_whole_set_says_so(plugin, pytester):
    (plugin / "acme_kit" / "__init__.py").write_text(LIGHT.replace('("heatmap",)', '("heatmap",), per_image=False'))
    (plugin / "acme_kit" / "size.py").write_text(SIZE.replace("values=size", "values=size[:1] * 0"))
    expected = ', expected_failures={("size", "measurements-have-the-right-form"): "does not say `whole=True`"}'
    run_kit(pytester, expected).assert_outcomes(passed=20, xfailed=1)


def test_an_expected_failure_that_passes_is_a_failure(plugin, pytester):
    result = run_kit(pytester, ', expected_failures={("size", "measurements-say-what-they-mean"): "has no unit"}')
    result.assert_outcomes(passed=21, failed=1)
    result.stdout.fnmatch_lines(["*FAILED measurements-say-what-they-mean*"])


@pytest.mark.parametrize(
    "key", [("size", "no-such-check"), ("no-such-component", "example"), ("size", "same-split-twice")]
)
def test_an_expected_failure_of_nothing_is_refused(plugin, key):
    with pytest.raises(UserError, match="names no check that is run"):
        component_tests("acme-kit", expected_failures={key: "because"})


def test_an_expected_failure_needs_a_reason(plugin):
    with pytest.raises(UserError, match="gives no reason"):
        component_tests("acme-kit", expected_failures={("size", "example"): " "})


def test_toys_of_an_unknown_component_are_refused(plugin):
    with pytest.raises(UserError, match="toys are given for sise"):
        component_tests("acme-kit", toys={"sise": Toys()})


def test_toys_of_the_plugins_own_are_used(plugin, pytester):
    (plugin / "acme_kit" / "conformance.py").write_text(
        "from sidelight_specs.testing import Toys\ntoys = {'size': Toys(shape=(3, 48, 48), count=4)}\n"
    )
    text = SIZE.replace(
        "size = np", "assert images.shape[1:] == (3, 48, 48)\n        assert len(images) in (1, 4)\n        size = np"
    )
    (plugin / "acme_kit" / "size.py").write_text(text)
    run_kit(pytester).assert_outcomes(passed=22)


def test_a_distribution_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="no distribution 'acme-nowhere' is installed"):
        component_tests("acme-nowhere")


def test_a_distribution_without_components_is_refused():
    with pytest.raises(UserError, match="pytest announces no component"):
        component_tests("pytest")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sidelight.v1.metrics]\nsize = acme_kit\n", 'unknown entry point group "sidelight.v1.metrics"; known are'),
        ("[sidelight.v1.metric]\nsize = acme_kit\nsize = acme_kit\n", "cannot read the entry points"),
    ],
)
def test_entry_points_are_read_as_strictly_as_the_kernel_reads_them(plugin, text, said):
    (plugin / "acme_kit-1.0.dist-info" / "entry_points.txt").write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        components("acme-kit")
    assert "pyproject.toml" in caught.value.fix


@pytest.mark.parametrize(
    ("points", "light", "said"),
    [
        ("[sidelight.v1.metric]\nsize = acme_kit:hooks\n", LIGHT, "is not the name of a module alone"),
        ("[sidelight.v1.data]\nsize = acme_kit\n", LIGHT, "acme_kit does not implement the hook sidelight_data()"),
        ("[sidelight.v1.metric]\nsise = acme_kit\n", LIGHT, 'no component "sise"; it announces size'),
        ("[sidelight.v1.metric]\nsize = acme_kit\n", LIGHT + "    yield 3\n", "must give descriptors, it gave an int"),
        ("[sidelight.v1.observer]\nsize = acme_kit\n", LIGHT, "acme_kit implements none of sidelight_recipe_resolved"),
    ],
)
def test_a_light_module_is_asked_as_the_kernel_asks_it(plugin, points, light, said):
    (plugin / "acme_kit-1.0.dist-info" / "entry_points.txt").write_text(points)
    (plugin / "acme_kit" / "__init__.py").write_text(light)
    (announced,) = components("acme-kit")
    assert announced.descriptor is None
    assert said in announced.problem


def test_the_summary_tells_failures_apart():
    rows = [
        ("passed", "acme", "metric/a", "x: "),
        ("failed", "acme", "metric/a", "y: wrong"),
        ("passed", "acme", "metric/b", "x: "),
    ]
    lines = list(summary(rows))
    assert lines[0].split() == ["metric/a", "1", "passed,", "1", "failed"]
    assert lines[1] == "  FAILED y: wrong"
    assert lines[-1] == "acme: 3 conformance checks were run"


# --- the toys


def test_a_toy_runs_streams_depend_on_seed_component_and_label():
    seeds = {ToyRun(seed, name).seed(label) for seed in (0, 1) for name in "ab" for label in ("x", "y")}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert ToyRun().rng("x").random() == ToyRun().rng("x").random()


def test_a_toy_run_counts_and_cancels():
    run = ToyRun(cancel_after=3)
    assert list(run.progress(range(2), "one")) == [0, 1]
    with pytest.raises(Cancelled):
        list(run.progress(range(5), "two"))
    assert run.steps == {"one": 2, "two": 1}
    with pytest.raises(Cancelled):
        list(ToyRun(cancel_after=0).progress(range(1), "none"))


def test_a_toy_run_keeps_what_it_is_told():
    run, made = ToyRun(), []
    heat = Heatmap(values=np.zeros((1, 2, 2), dtype=np.float32))
    for _ in range(2):
        assert run.cached(("key", 1), lambda: made.append(1) or heat) is heat
    run.emit("name", heat)
    run.warn("careful")
    assert (len(made), run.emitted, run.warnings) == (1, {"name": heat}, ["careful"])


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64)])
@pytest.mark.parametrize("task", ["multiclass", "binary"])
def test_the_toy_classifier_knows_the_toy_data(shape, task):
    split = ToyData(shape, task).split("train")
    logits = ToyClassifier(shape, task).class_logits(torch.from_numpy(split.images))
    assert (logits.argmax(1).numpy() == split.labels).all()
    assert 0 <= split.images.min() < split.images.max() <= 1


def test_the_toy_regression_follows_the_amplitude():
    split = ToyData(task="regression").split("train")
    values = ToyClassifier(task="regression").scores(torch.from_numpy(split.images))[:, 0].numpy()
    assert np.corrcoef(values, split.labels)[0, 1] > 0.99


@pytest.mark.parametrize("cause", [0, 1, 2])
def test_only_the_planted_cause_moves_its_logit(cause):
    images = torch.from_numpy(ToyData().split("test").images).requires_grad_()
    (gradient,) = torch.autograd.grad(ToyClassifier().scores(images)[:, cause].sum(), images)
    amount, place = gradient.abs().sum((0, 1)).numpy(), patterns.region(cause, 32, 3)
    assert amount[~place].max() == 0
    assert amount[place].mean() > 0


def test_the_distractor_moves_no_logit():
    latents = torch.zeros(2, 6)
    latents[1, 3:] = torch.tensor([3.0, 2.0, -2.0])
    images = ToyGenerator().synthesize(latents)
    assert (images[0] - images[1]).abs().max() > 0.1
    assert torch.allclose(*ToyClassifier().scores(images), atol=1e-3)


@pytest.mark.parametrize("space", ["z", "w"])
def test_the_toy_generator_inverts_itself(space):
    generator = ToyGenerator(space=space)
    latents = generator.sample(5, np.random.default_rng(0))
    assert latents.shape == (5, *generator.latent_shape)
    assert torch.allclose(generator.encode(generator.synthesize(latents)), latents, atol=1e-4)
    assert ToyInverter(generator).invert(generator.synthesize(latents)).error.max() < 1e-9


@pytest.mark.parametrize(
    "kind",
    [
        "heatmap",
        "counterfactual",
        "attention-graph",
        "concepts",
        "attributes",
        "image-attributes",
        "inversion",
        "intervention",
    ],
)
@pytest.mark.parametrize("task", ["multiclass", "binary", "regression"])
def test_toy_explanations_of_every_kind_and_task(kind, task, tmp_path):
    classifier = ToyClassifier(task=task)
    images = torch.from_numpy(ToyData(task=task).split("test").images[:4])
    found = toy_explanation(kind, classifier, images, toy_targets(classifier, images))
    assert found.kind == kind
    found.save(tmp_path)
    assert type(found).load(tmp_path).digest() == found.digest()


def test_toy_counterfactuals_reach_the_probe():
    classifier = ToyClassifier()
    images = torch.from_numpy(ToyData().split("test").images)
    targets = toy_targets(classifier, images)
    found = toy_explanation("counterfactual", classifier, images, targets)
    assert (found.logits_after.argmax(1) == targets.probe).all()


@pytest.mark.parametrize("task", ["multiclass", "binary", "regression"])
def test_toy_results_fit_together(task):
    results = toy_results(task, 3)
    assert len(results.split) == len(results.targets) == len(results.predictions.logits) == 3
    assert set(results.measurements["sparsity"]) == set(results.explanations)


@pytest.mark.parametrize(
    "need",
    [
        Need("classifier", capabilities=("acme.depth",)),
        Need("generator", capabilities=("latent.z", "latent.w")),
        Need("data", capabilities=("trainable",)),
        Need("explainer", capabilities=("attention-graph",)),
        Need("metric"),
    ],
)
def test_a_need_that_no_toy_can_fill_is_named(need):
    with pytest.raises(UserError, match=f"no toy {need.role} can fill the slot"):
        Toys().fill(need)


# --- what the checks compare


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "part"),
    [
        (np.float32([1]), np.float32([1.1]), 0.01, "differ by up to 0.1"),
        (np.float32([1]), np.float64([1]), 0, "float32"),
        (np.float32([np.nan]), np.float32([1]), 1, "NaN"),
        (np.int64([1]), np.int64([2]), 9, "the values differ"),
        ({"a": 1}, {"b": 1}, 0, "against"),
        ((1, 2), (1, 3), 0, "[1]: 2 against 3"),
        ({"a": {"b": 0.5}}, {"a": {"b": 0.75}}, 0.1, "a.b"),
        (np.float32([np.inf]), np.float32([1]), 0.1, "differ"),
    ],
)
def test_differences_are_named(one, other, tolerance, part):
    assert part in difference(one, other, tolerance)
    assert difference(one, one) == ""


def change_mode(module):
    module.train()


def change_hook(module):
    module.head.register_forward_hook(lambda *_: None)


def change_weight(module):
    module.head.weight[0, 0] += 1


def change_requirement(module):
    module.head.weight.requires_grad_(True)


def change_gradient(module):
    module.head.weight.grad = torch.zeros_like(module.head.weight)


def change_method(module):
    module.head.forward = lambda features: features


def change_layer(module):
    module.relu1 = torch.nn.ELU()


@pytest.mark.parametrize(
    "change",
    [change_mode, change_hook, change_weight, change_requirement, change_gradient, change_method, change_layer],
)
def test_every_change_of_a_model_is_seen(change):
    module = ToyClassifier().module
    before = module_state(module)
    module(torch.zeros(1, 1, 32, 32))
    assert changed(before, module_state(module)) == []
    change(module)
    assert changed(before, module_state(module))


@pytest.mark.parametrize(
    "consume",
    [lambda: torch.rand(1), lambda: np.random.rand(), lambda: np.random.randn(), lambda: __import__("random").random()],
)
def test_every_global_stream_is_watched(consume):
    before = global_state()
    assert changed(before, global_state()) == []
    consume()
    assert len(changed(before, global_state())) == 1


def test_importing_the_kit_imports_no_torch():
    import subprocess

    code = "import sidelight_specs.testing, sidelight_specs.testing.plugin, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_contracts_page_names_every_role_hook_and_capability():
    from sidelight_specs.descriptors import CAPABILITIES
    from sidelight_specs.roles import ROLES
    from sidelight_specs.testing.explanations import TOY_KINDS

    page = (Path(__file__).parents[2] / "docs" / "reference" / "contracts.md").read_text()
    for name in (*ROLES, *(role.hook for role in ROLES.values()), *CAPABILITIES, *TOY_KINDS):
        assert f"`{name}`" in page or f"| {name} |" in page, f"docs/reference/contracts.md does not name {name}"
