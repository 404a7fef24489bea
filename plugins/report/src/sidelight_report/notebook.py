"""A run in a notebook cell: the first questions in pictures, and the numbers. Self-contained HTML without scripts.

It shows alike in Jupyter, in VS Code and on viewers that strip scripts. An observer, so this module imports nothing
heavy before the hook is called.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from sidelight_specs import hookimpl

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs.results import Counterfactual, Explanation, Results

SHOWN = 8  # questions
SIDE = 168  # pixels of a picture
LEAST_DIFFERENCE = 0.05  # of the intensity range: smaller differences are not magnified into vivid colours
_PERCENTILE = 99.0  # of the magnitudes: where colours saturate, as on the page
_CELL = "padding:3px 6px;text-align:center;vertical-align:top;background:transparent"
_SMALL = "font-size:12px;opacity:.75"


@hookimpl
def sidelight_run_html(results: Results) -> str:
    """HTML of the first questions: the image, each explanation beside it, the measurements, and what to know."""
    from sidelight_specs.results.table import table_of

    from sidelight_report.document.phrases import headline

    count, names = len(results.split), list(results.explanations)
    columns = "".join(f'<th style="{_CELL}">{html.escape(name)}</th>' for name in ("", "image", *names))
    rows = "".join(_row(results, row) for row in range(min(count, SHOWN)))
    more = f"<p>{count - SHOWN} more questions are not shown here.</p>" if count > SHOWN else ""
    table = table_of(results)
    numbers = table._repr_html_() if len(table) else ""
    notes = "".join(f"<li>{html.escape(text)}</li>" for text in results.warnings)
    said = f"<details><summary>{len(results.warnings)} to know</summary><ul>{notes}</ul></details>" if notes else ""
    said += _limits(results)
    title = f"<b>{html.escape(headline(results))}</b> <span style='{_SMALL}'>{html.escape(results.name)}</span>"
    pictures = f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"
    chosen = f"<p>Explained are {html.escape(results.choice)}.</p>" if results.choice else ""
    return f"<div><p>{title}</p>{chosen}{pictures}{more}{numbers}{said}</div>"


def _limits(results: Results) -> str:
    """Limits of each explainer, folded."""
    texts = {one.id: one.limits for one in results.components if one.id in results.explanations and one.limits}
    items = "".join(f"<li>{html.escape(name)}: {html.escape(' '.join(limits))}</li>" for name, limits in texts.items())
    return f"<details><summary>What may not be claimed</summary><ul>{items}</ul></details>" if items else ""


def _row(results: Results, row: int) -> str:
    from sidelight_report.document.phrases import question

    name = results.split.ids[row] if results.split.ids else f"image {row}"
    asked = f"{html.escape(question(results, row))}<br><span style='{_SMALL}'>{html.escape(_said(results, row))}</span>"
    cells = [f'<td style="{_CELL};text-align:left;min-width:140px;max-width:220px;white-space:normal">{asked}</td>']
    cells.append(_cell(_picture(results.split.images[row], name), name))
    cells += [_explanations(results, one, row, key) for key, one in results.explanations.items()]
    return f"<tr>{''.join(cells)}</tr>"


def _said(results: Results, row: int) -> str:
    """Probability of the predicted class, and the label where it is another."""
    from sidelight_specs.results import expected_classes
    from sidelight_specs.results.question import softmax

    from sidelight_report.document.phrases import class_name

    if results.predictions.task == "regression":
        return ""
    predicted = int(results.targets.predicted[row])
    share = f"{class_name(results, predicted)} {softmax(results.predictions.logits[row])[predicted]:.0%}"
    expected = int(expected_classes(results.split, results.class_names)[row])
    return share if expected in (-1, predicted) else f"{share}, labelled {class_name(results, expected)}"


def _explanations(results: Results, explanation: Explanation, row: int, name: str) -> str:
    """A cell: an explanation; of a misclassified image those for the predicted and the expected class, on one scale."""
    pairs = [(explanation, row)]
    if name in results.counterparts and row in results.contested:
        pairs.append((results.counterparts[name], results.contested.index(row)))
    least = max(_saturation(one, at) for one, at in pairs) if len(pairs) > 1 else 0.0
    shown = [_explanation(results, one, at, row, name, least) for one, at in pairs]
    return f'<td style="{_CELL};white-space:nowrap">{"".join(shown)}</td>'


def _explanation(results: Results, explanation: Explanation, at: int, row: int, name: str, least: float) -> str:
    """The first picture of row `at` of an explanation of image `row`; `least` is the common scale of two."""
    from sidelight_specs.results import Counterfactual

    from sidelight_report.document.phrases import side

    if not explanation.has_answer(at):
        said = f"{side(results, row, explanation.answers)}: no answer"
        return f'<div style="max-width:{SIDE}px;white-space:normal">{html.escape(said)}<br>' + (
            f'<span style="{_SMALL}">{html.escape(explanation.no_answer)}</span></div>'
        )
    if isinstance(explanation, Counterfactual):
        return _counterfactual(results, explanation, at, name)
    picture = _first_picture(results.split.images[row], explanation, at, least)
    if picture is None:
        return "see the page"
    caption = side(results, row, explanation.answers)
    if least:
        caption += ", expected" if explanation.answers == "probe" else ", predicted"
    return _figure(_picture(picture, name), caption)


def _saturation(explanation: Explanation, row: int) -> float:
    """Magnitude at which the first heatmap's colours saturate; 0 where there is none."""
    from sidelight_specs.blocks import Overlay

    from sidelight_report.encoding import saturation

    maps = (block.values for block in explanation.view(row) if isinstance(block, Overlay) and not block.mask)
    return next((saturation(values, _PERCENTILE) for values in maps), 0.0)


def _counterfactual(results: Results, explanation: Counterfactual, row: int, name: str) -> str:
    """The image that the classifier calls otherwise, and what was added and removed."""
    from sidelight_specs.results.question import softmax
    from sidelight_ui.overlay import ADDED, REMOVED, overlaid

    from sidelight_report.document.phrases import class_name
    from sidelight_report.encoding import saturation

    if not explanation.converged[row]:
        return "no answer found"
    before, after = results.split.images[row], explanation.images[row]
    change = (after - before).mean(0)
    limit = max(saturation(change, _PERCENTILE), LEAST_DIFFERENCE)
    drawn = overlaid(before, change, limit, signed=True, colours=(ADDED, REMOVED))
    probe, logits = int(results.targets.probe[row]), explanation.logits_after[row]
    said = f"now {class_name(results, probe)} {softmax(logits)[probe]:.0%}"
    if results.predictions.task == "regression":
        said = f"now {logits[0]:.3g}"
    return _figure(_picture(after, name), said) + _figure(_picture(drawn, name), "red is added, blue removed")


def _first_picture(explained: np.ndarray, explanation: Explanation, row: int, least: float) -> np.ndarray | None:
    """(C, H, W) of the first block that is a picture; None where there is none.

    Args:
        explained: the image, (C, H, W).
        explanation: what is shown.
        row: its row.
        least: magnitude at which colours saturate at the earliest; 0 for their own.
    """
    import numpy as np
    from sidelight_specs.blocks import Overlay, Pair, Picture, Strip
    from sidelight_ui.overlay import PREDICTED, PROBE, overlaid

    from sidelight_report.encoding import saturation

    for block in explanation.view(row):
        if isinstance(block, Overlay):
            below = explained if block.image is None else block.image
            if block.mask:
                hidden = 0 if block.hidden is None else block.hidden
                return np.asarray(below * block.values + hidden * (1 - block.values))
            limit = max(saturation(block.values, _PERCENTILE), least)
            colours = (PROBE, PREDICTED) if explanation.answers == "probe" else (PREDICTED, PROBE)
            return overlaid(below, block.values, limit, signed=block.signed, colours=colours)
        if isinstance(block, Pair):
            return block.after
        if isinstance(block, Strip) and len(block.images):
            return np.asarray(block.images[-1])
        if isinstance(block, Picture):
            return explained if block.image is None else block.image
    return None


def _cell(content: str, caption: str) -> str:
    return f'<td style="{_CELL}">{_figure(content, caption)}</td>'


def _figure(content: str, caption: str) -> str:
    below = f'<br><span style="{_SMALL}">{html.escape(caption)}</span>' if caption else ""
    style = f"display:inline-block;vertical-align:top;padding:0 2px;max-width:{SIDE}px;white-space:normal"
    return f'<div style="{style}">{content}{below}</div>'


def _picture(image: np.ndarray, name: str) -> str:
    from sidelight_ui.images import compact_uri

    drawing = "pixelated" if image.shape[-1] < SIDE / 2 else "auto"
    style = f"width:{SIDE}px;max-width:none;height:auto;image-rendering:{drawing}"
    return f'<img src="{compact_uri(image, 2 * SIDE)}" alt="{html.escape(name)}" style="{style}">'
