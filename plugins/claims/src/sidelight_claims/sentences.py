"""Grammar of claims that are written as sentences. Imports nothing heavy.

    measured         METRIC[/EXPLANATION[/NUMBER]] OP NUMBER [%]         flips/cdeepex >= 0.9
    top-attributes   FACTOR in the top K attributes [of FINDER] [towards CLASS]
    decides          REGION decides CLASS over CLASS [under REPLACEMENT, ...]

OP is one of >=, >, <=, <. REGION is the name of a mask, `box LEFT,TOP,WIDTH,HEIGHT` in pixels, or
`top P % of EXPLAINER`; `the` may stand before it. Names that hold a word of the grammar have to be given as options.
"""

from __future__ import annotations

import re
from typing import Any

from sidelight_specs import UserError
from sidelight_specs.wording import quoted

_COMPARED = re.compile(r"(?P<path>[^<>=≥≤]*)(?P<sign>[<>=≥≤]+)(?P<rest>.*)", re.DOTALL)
_SIGNS = {">=": ">=", "≥": ">=", ">": ">", "<=": "<=", "≤": "<=", "<": "<"}
_NUMBER = re.compile(r"(?P<number>[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?)\s*(?P<percent>%?)")
_TOP = re.compile(
    r"(?P<factor>.+?) (is |are )?in the top (?P<top>\S+) attributes?( of (?P<finder>\S+?))?( towards (?P<towards>.+))?"
)
_DECIDES = re.compile(r"(?P<region>.+?) decides? (?P<winner>.+?) over (?P<loser>.+?)( under (?P<replacements>.+))?")
_SHARE = re.compile(r"top (?P<share>\d+(\.\d+)?) ?% of (?P<explainer>\S+)")
_BOX = re.compile(r"box (?P<box>\d+(\s*,\s*\d+)*)")


def read_measured(text: str) -> dict[str, Any] | None:
    """Options of `measured`; None for a sentence without a comparison.

    Raises:
        UserError: the comparison cannot be read.
    """
    found = _COMPARED.fullmatch(text.strip())
    if found is None:
        return None
    fix = "write METRIC/EXPLANATION/NUMBER >= THRESHOLD, the last two names only where the metric gives several"
    if found["sign"] not in _SIGNS:
        message = f"{quoted(found['sign'])} is no comparison that an interval can decide"
        raise UserError(message, "use one of >=, >, <=, <")
    number = _NUMBER.fullmatch(found["rest"].strip())
    if number is None:
        raise UserError(f"{quoted(found['rest'].strip())} is no number to hold {quoted(found['path'].strip())} to", fix)
    names = [name.strip() for name in found["path"].split("/", 2)]
    if not all(names):
        raise UserError(f"{quoted(found['path'].strip())} names no metric, or leaves a name between slashes out", fix)
    threshold = float(number["number"]) / (100 if number["percent"] else 1)
    options = dict(zip(("metric", "explanation", "number"), names, strict=False))
    return {**options, "comparison": _SIGNS[found["sign"]], "threshold": threshold}


def read_top(text: str) -> dict[str, Any] | None:
    """Options of `top-attributes`; None for a sentence that does not hold `in the top`.

    Raises:
        UserError: it does, and cannot be read.
    """
    text = _one_line(text)
    if " in the top " not in text or " decides " in text:
        return None
    found = _TOP.fullmatch(text)
    if found is None or not found["top"].isdecimal() or not 1 <= int(found["top"]) <= 100:
        message = f"{quoted(text)} does not say which factor is in the top how many attributes"
        raise UserError(message, "write FACTOR in the top 3 attributes [of FINDER] [towards CLASS]")
    options = {name: found[name] for name in ("finder", "towards") if found[name]}
    return {"factor": found["factor"], "top": int(found["top"]), **options}


def read_decides(text: str) -> dict[str, Any] | None:
    """Options of `decides`; None for a sentence that does not hold `decides`.

    Raises:
        UserError: it does, and cannot be read.
    """
    text = _one_line(text)
    if not re.search(r"\bdecides?\b", text):
        return None
    found = _DECIDES.fullmatch(text)
    if found is None:
        message = f"{quoted(text)} does not say which region decides which class over which"
        raise UserError(message, "write REGION decides CLASS over CLASS, such as: square decides 8 over 9")
    options = {"winner": found["winner"], "loser": found["loser"], **_region(found["region"])}
    if found["replacements"]:
        options["replacements"] = tuple(name.strip() for name in found["replacements"].split(","))
    return options


def _region(text: str) -> dict[str, Any]:
    text = text.removeprefix("the ")
    if share := _SHARE.fullmatch(text):
        return {"explainer": share["explainer"], "share": float(share["share"])}
    if box := _BOX.fullmatch(text):
        numbers = tuple(int(number) for number in box["box"].split(","))
        if len(numbers) == 4:
            return {"box": numbers}
    words = text.removeprefix("mask ")
    if " " in words or "%" in words:
        message = f"{quoted(text)} is no region"
        raise UserError(message, "name a mask of the data, box LEFT,TOP,WIDTH,HEIGHT, or top P % of EXPLAINER")
    return {"mask": words}


def _one_line(text: str) -> str:
    return " ".join(text.split())
