"""The kind of result, the explainer that gives it, and a metric on it."""

import attrs
import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Strip
from sidelight_specs.results import Explanation, Measurement, Measurements
from sidelight_specs.roles import Explainer, Metric


@attrs.frozen(eq=False, kw_only=True)
class Prototypes(Explanation):
    """Per image k training images, nearest first, with their labels and distances."""

    kind = "fossil.prototypes"
    images: np.ndarray = per_image("N k C H W", low=0, high=1)
    labels: np.ndarray = per_image("N k", numbers="int", low=0)
    distances: np.ndarray = per_image("N k", low=0)

    @classmethod
    def example(cls, images, classes):
        return cls(images=images[:, None], labels=np.zeros((len(images), 1), int), distances=np.zeros((len(images), 1)))

    def validate(self, images=None, classes=None):
        super().validate(images, classes)
        if (np.diff(self.distances) < 0).any():
            raise SidelightError("distances decrease: the nearest prototype comes first")

    def view(self, index):
        captions = [f"{{class {k}}}, {d:.2f}" for k, d in zip(self.labels[index], self.distances[index], strict=True)]
        return (Strip(self.images[index], "nearest training images, distance of logits", captions),)


class Nearest(Explainer):
    def __init__(self, params, classifier, data, *, run):
        self.classifier, self.data, self.run = classifier, data, run

    def explain(self, images, targets):
        import torch

        train = self.data.split("train").read()
        batches = torch.as_tensor(train.images).split(100)
        with torch.no_grad():
            logits = [self.classifier.class_logits(x.to(images)) for x in self.run.progress(batches, "training images")]
            wanted = torch.cat([self.classifier.class_logits(x) for x in images.split(1)])
        distances, nearest = (x.cpu().numpy() for x in torch.cdist(wanted, torch.cat(logits)).topk(3, largest=False))
        return Prototypes(images=train.images[nearest], labels=train.labels[nearest], distances=distances)


class Agreement(Metric):
    def __init__(self, params, *, run):
        pass

    def measure(self, explanation, images, targets):
        shares = (explanation.labels == targets.predicted[:, None]).mean(1, dtype=np.float32)
        facts = {"better": "higher", "unit": "share", "help": "How many prototypes are of the predicted class."}
        return Measurements(items=(Measurement(name="agreement", values=shares, **facts),))
