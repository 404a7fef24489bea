"""Answers image by image: what the classifier says, what is asked, and every number about it, one row a question."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sidelight_specs.results.columns import Columns
from sidelight_specs.results.question import softmax_at

if TYPE_CHECKING:
    from sidelight_specs.results.run import Results


def answers_of(results: Results) -> Columns:
    """One row for each question of a run, in order.

    - `question`: its number, from 0.
    - `image`: the name that the data give it; empty where they give none.
    - `label`: the true class, or the true value of a regression; empty where it is not known.
    - `predicted`, `probe`: the class that the classifier says, and the class asked about; of a regression the value
      that it says (`value`) alone.
    - `p(predicted)`, `p(probe)`: their probabilities, a softmax over all classes.
    - `EXPLAINER answered`: for methods that may have no answer.
    - `METRIC NUMBER of SUBJECT`: a number of this image; those of the whole set are in the table of measurements.
    - `METRIC predicted of COUNTERFACTUAL`, `METRIC p(probe) of COUNTERFACTUAL`: what the metric's classifier says.
    """
    count, names = len(results.targets), results.class_names
    columns: dict[str, list[Any]] = {"question": list(range(count)), "image": list(results.split.ids) or [""] * count}
    columns["label"] = _labels(results)
    if results.predictions.task == "regression":
        columns["value"] = results.predictions.logits[:, 0].tolist()
    else:
        predicted, probe = results.targets.predicted, results.targets.probe
        sides = _sides("{}", predicted, *softmax_at(results.predictions.logits, predicted, probe), results=results)
        asked = sides.pop("p(probe)")
        columns |= {**sides, "probe": [names[number] for number in probe.tolist()], "p(probe)": asked}
    for name, explanation in {**results.explanations, **results.attributes}.items():
        if explanation.answered is not None and len(explanation.answered) == count:
            columns[f"{name} answered"] = explanation.answered.tolist()
    for metric, subjects in results.measurements.items():
        for subject, numbers in subjects.items():
            for item in numbers.items:
                if item.is_of_each(count):
                    columns[f"{metric} {item.name} of {subject}"] = item.values.tolist()
            if numbers.answers is not None and len(numbers.answers) == count:
                after = numbers.answers[:, 1]  # (N, K): of the counterfactuals
                said = np.where(np.isfinite(after).all(axis=1), np.nan_to_num(after).argmax(axis=1), -1)
                sure, asked = after[np.arange(count), said], after[np.arange(count), results.targets.probe]
                named = _sides(f"{metric} {{}} of {subject}", said, sure, asked, results=results)
                columns |= {head: values for head, values in named.items() if head not in columns}
    return Columns(columns)


def _sides(
    form: str, predicted: np.ndarray, sure: np.ndarray, asked: np.ndarray, *, results: Results
) -> dict[str, list[Any]]:
    """The class that is said, its probability, and that of the class asked about; `form` has `{}` for their names."""
    said = [results.class_names[number] if number >= 0 else None for number in predicted.tolist()]
    sure = np.where(predicted >= 0, sure, math.nan)
    columns = {"predicted": said, "p(predicted)": sure.tolist(), "p(probe)": asked.tolist()}
    return {form.replace("{}", name): values for name, values in columns.items()}


def _labels(results: Results) -> list[Any]:
    labels, names = results.split.labels, results.split.class_names
    if labels is None:
        return [None] * len(results.targets)
    return [names[label] for label in labels.tolist()] if names and labels.dtype.kind in "iu" else labels.tolist()
