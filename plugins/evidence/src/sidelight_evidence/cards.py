"""Cards of a run's models and data, as descriptors, trainings and measurements tell of them.

Nothing in them is judged. A heading that nobody filled stands there with the words `not stated`, because an auditor has
to see that it is missing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs.blocks import Plot, Table, Text, with_class_names
from sidelight_specs.results import Split
from sidelight_specs.roles import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sidelight_specs.blocks import Block
    from sidelight_specs.results import Results
    from sidelight_specs.results.run import ComponentRecord

MODELS = ("classifier", "generator", "inverter", "attribute_finder")  # roles with a card in any case
HEADINGS = ("origin", "licence", "training data", "limits")  # that a card of weights should have
NOT_STATED = "not stated"


def paths_of(results: Results) -> dict[str, ComponentRecord]:
    """Components of a run by their paths in its recipe, as the manifest's digests name them."""
    sections = {one.role: ROLES[one.role].section for one in results.components if one.role in ROLES}
    return {
        section if one.id == one.role else f"{section}.{one.id}": one
        for one in results.components
        if (section := sections.get(one.role)) is not None
    }


def model_cards(results: Results, manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Plain values of the card of each model, by its path in the recipe."""
    digests = manifest.get("digests", {})
    weights, files = digests.get("weights", {}), digests.get("files", {})
    cards: dict[str, dict[str, Any]] = {}
    for path, one in paths_of(results).items():
        if one.role == "data" or not (one.role in MODELS or path in weights or one.card):
            continue
        stated = {heading.lower(): text for heading, text in one.card.items()}
        cards[path] = {
            **_identity(path, one),
            "weights": weights.get(path, ""),
            "files": files.get(path, {}),
            "card": {heading: stated.get(heading, NOT_STATED) for heading in HEADINGS} | stated,
            "reports": [
                {"name": name, "blocks": _plain_blocks(artifact.view(0), results.class_names)}
                for name, artifact in results.emitted.items()
                if name.startswith(f"{one.id}/") and not isinstance(artifact, Split)
            ],
        }
    return cards


def data_cards(results: Results, manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Plain values of the card of each data set, by its path in the recipe."""
    explain, digests = results.recipe.get("explain", {}), manifest.get("digests", {})
    cards = {
        path: {**_identity(path, one), "card": dict(one.card), "files": digests.get("files", {}).get(path, {})}
        for path, one in paths_of(results).items()
        if one.role == "data"
    }
    split, counts = results.split, dict[str, int]()
    if split.labels is not None and split.class_names and split.labels.dtype.kind != "f":
        indices, numbers = np.unique(split.labels, return_counts=True)
        counts = {split.class_names[index]: int(count) for index, count in zip(indices, numbers, strict=True)}
    explained = {
        "split": explain.get("split"),
        "chosen": results.choice or "as the recipe names them",
        "images": len(digests.get("images", ())),
        "questions": len(split),
        "shape": list(split.images.shape[1:]),
        "classes": list(split.class_names),
        "questions by label": counts,
        "digest": digests.get("data", ""),
    }
    if "data" in cards or len(cards) == 1:
        cards[next(path for path in cards if path == "data" or len(cards) == 1)]["explained"] = explained
    return cards


def method_cards(results: Results) -> dict[str, dict[str, Any]]:
    """Plain values about each method that explains, finds or measures, by its path: paper, parameters, and limits."""
    roles = ("explainer", "attribute_finder", "metric")
    return {path: _identity(path, one) for path, one in paths_of(results).items() if one.role in roles}


def methods_text(methods: Mapping[str, Mapping[str, Any]]) -> str:
    """The same in Markdown."""
    lines = ["# Methods"]
    for path, one in methods.items():
        lines += ["", f"## {path}: {one['use']}", "", one["summary"] or NOT_STATED, ""]
        lines += [f"- paper: {one['paper'] or NOT_STATED}", f"- parameters: {json.dumps(one['parameters'])}"]
        lines += [f"- limit: {limit}" for limit in one["limits"]] or [f"- limits: {NOT_STATED}"]
    return "\n".join(lines) + "\n"


def card_text(card: Mapping[str, Any]) -> str:
    """A card in Markdown."""
    lines = [f"# {card['path']}: {card['use']}", "", card["summary"] or NOT_STATED, ""]
    facts = {"distribution": f"{card['distribution']} {card['version']}", "paper": card["paper"]}
    facts |= {"weights": card.get("weights", "")} | {f"file `{key}`": one for key, one in card["files"].items()}
    lines += [f"- {name}: {value}" for name, value in facts.items() if value]
    parameters = {name: json.dumps(value, ensure_ascii=False) for name, value in card["parameters"].items()}
    limits = {f"limit {number}": text for number, text in enumerate(card["limits"], 1)}
    for title, section in (("Card", {**card["card"], **limits}), ("Parameters", parameters)):
        lines += ["", f"## {title}", ""] + [f"- {name}: {_shown(value)}" for name, value in section.items()]
        lines += [NOT_STATED] if not section else []
    if "explained" in card:
        lines += ["", "## Explained images", ""]
        lines += [f"- {name}: {_shown(value)}" for name, value in card["explained"].items()]
    for report in card.get("reports", ()):
        lines += ["", f"## {report['name']}", ""]
        for block in report["blocks"]:
            lines += [*_block_lines(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _identity(path: str, one: ComponentRecord) -> dict[str, Any]:
    record: dict[str, Any] = {
        "path": path,
        "role": one.role,
        "use": one.use,
        "summary": one.summary,
        "paper": one.paper,
    }
    record |= {"distribution": one.distribution, "version": one.version, "parameters": one.params}
    return {**record, "limits": list(one.limits)}


def _plain_blocks(blocks: tuple[Block, ...], class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Texts, tables and the ends of curves; pictures stay in the results."""
    result = list[dict[str, Any]]()
    for block in (with_class_names(block, class_names) for block in blocks):
        if isinstance(block, Text):
            result.append({"text": block.text})
        elif isinstance(block, Table):
            table = {"headings": list(block.headings), "rows": [list(row) for row in block.rows]}
            result.append({"table": table, "caption": block.caption})
        elif isinstance(block, Plot):
            ends = {name: float(line[-1]) for name, line in block.lines.items() if len(line) and np.isfinite(line[-1])}
            result.append({"curve": block.y_label, "last values": ends})
    return result


def _block_lines(block: Mapping[str, Any]) -> Iterator[str]:
    if "text" in block:
        yield block["text"]
    elif "table" in block:
        rows = [block["table"]["headings"], ["---"] * len(block["table"]["headings"]), *block["table"]["rows"]]
        yield from (f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows)
        yield from ([block["caption"]] if block["caption"] else [])
    else:
        ends = ", ".join(f"{name} {value:.4g}" for name, value in block["last values"].items())
        yield f"{block['curve']}, at the end: {ends}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or NOT_STATED
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return NOT_STATED if value in (None, "") else str(value)
