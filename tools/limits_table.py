"""Write the tables of docs/explanation/limits.md from what the first-party descriptors say of themselves.

python tools/limits_table.py           write them between the page's two marks
python tools/limits_table.py --check   exit with 1 when the page is not up to date
"""

from __future__ import annotations

import string
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference import cell, describe_entry, first_party, link
from sidelight.registry.catalog import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.host import Available

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "limits.md"
MARKS = ("<!-- written by tools/limits_table.py -->", "<!-- end -->")
SHARED = 3  # components with the same limit: it then stands once, above the tables, under a letter
FAMILIES = {
    "heatmap": "Heatmaps",
    "attention-graph": "Attention graphs",
    "counterfactual": "Counterfactuals",
    "image-attributes": "Attributes of one image",
    "attribute_finder": "Attributes and directions",
    "concepts": "Concepts",
    "intervention": "Interventions",
    "metric": "Metrics",
}


def main(arguments: list[str]) -> int:
    current = PAGE.read_text(encoding="utf-8")
    before, rest = current.split(MARKS[0])
    made = "".join((before, MARKS[0], "\n\n", "\n".join(tables(limited())), "\n\n", MARKS[1], rest.split(MARKS[1])[1]))
    if arguments == ["--check"]:
        if made != current:
            print(f"{PAGE} is not up to date; run: python tools/limits_table.py")
        return int(made != current)
    PAGE.write_text(made, encoding="utf-8")
    return 0


def limited() -> list[Available]:
    """First-party components that declare limits."""
    catalog, ours = installed(), first_party()
    entries = [entry for entry in catalog.entries() if entry.distribution in ours]
    return [one for one in (describe_entry(catalog, entry) for entry in entries) if one.descriptor.limits]


def tables(components: list[Available]) -> Iterator[str]:
    """Shared limits under letters, then a table for each family."""
    holders = Counter(text for one in components for text in one.descriptor.limits)
    shared = [text for text, count in holders.items() if count >= SHARED]
    letters = dict(zip(shared, string.ascii_lowercase, strict=False))
    yield "These hold for several methods; the tables name them by their letter.\n"
    yield from (f"- **{letter}**: {text}" for text, letter in letters.items())
    for family, heading in FAMILIES.items():
        members = [one for one in components if family_of(one) == family]
        if members:
            yield f"\n### {heading}\n"
            yield "| Component | May not be claimed |"
            yield "|---|---|"
            yield from (row(one, letters) for one in members)


def family_of(component: Available) -> Any:
    """The kind that an explainer gives; the role of others."""
    return getattr(component.descriptor, "gives", component.role)


def row(component: Available, letters: dict[str, str]) -> str:
    limits = component.descriptor.limits
    shared = ", ".join(letters[text] for text in limits if text in letters)
    own = " ".join(text for text in limits if text not in letters)
    said = f"{f'**{shared}.** ' if shared else ''}{own}".rstrip()
    return f"| [`{component.use}`](../reference/components/{link(component)}) | {cell(said)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
