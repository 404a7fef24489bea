"""Write docs/reference/recipe.md and docs/reference/components/ from what the first-party plugins say of themselves.

python tools/reference.py           write the pages, and remove those of plugins that are gone
python tools/reference.py --check   exit with 1 when a page is not up to date
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docsite.markdown import slugify
from sidelight.registry.catalog import installed
from sidelight.registry.load import Unavailable
from sidelight_dev.describe import ANSWERS, capability, facts
from sidelight_specs.hooks import GROUP_PREFIX
from sidelight_specs.params import Param, bounds_text, describe
from sidelight_specs.recipe import Explain, plain_value
from sidelight_specs.roles import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sidelight.registry.catalog import Catalog
    from sidelight_specs.host import Available

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
INTRODUCTION = Path(__file__).with_name("reference_introduction.md")
HEADINGS = ("Parameter", "Type", "Default", "Allowed", "Meaning")


def main(arguments: list[str]) -> int:
    made = pages(installed(), first_party())
    stale = sorted(found() - made.keys()) + [name for name, text in made.items() if current(name) != text]
    if arguments == ["--check"]:
        for name in stale:
            print(f"{FOLDER / name} is not up to date; run: python tools/reference.py")
        return int(bool(stale))
    (FOLDER / "components").mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in made:
            (FOLDER / name).write_text(made[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return 0


def found() -> set[str]:
    """Generated pages that are there now, as paths below docs/reference."""
    return {file.relative_to(FOLDER).as_posix() for file in (FOLDER / "components").glob("*.md")}


def current(name: str) -> str:
    file = FOLDER / name
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def first_party() -> tuple[str, ...]:
    """The names of the distributions under plugins/ that have components, in alphabetical order."""
    files = sorted(ROOT.glob("plugins/*/pyproject.toml"))
    projects = [tomllib.loads(file.read_text(encoding="utf-8"))["project"] for file in files]
    groups = {f"{GROUP_PREFIX}{role}" for role in ROLES}
    return tuple(project["name"] for project in projects if groups & project.get("entry-points", {}).keys())


def pages(catalog: Catalog, distributions: Iterable[str]) -> dict[str, str]:
    """Texts of all pages by their path below docs/reference.

    The same plugins give the same texts, whatever else is installed.
    """
    introduction = INTRODUCTION.read_text(encoding="utf-8").rstrip()
    explain = "\n".join(table(describe(Explain)))
    made = {"recipe.md": introduction.replace("{explain}", explain).replace("{sections}", "\n".join(sections()))}
    plugins: dict[str, list[Available]] = {}
    for distribution in distributions:
        plugins[distribution] = [
            describe_entry(catalog, entry) for entry in catalog.entries() if entry.distribution == distribution
        ]
        if not plugins[distribution]:
            sys.exit(f"{distribution} is not installed; its components would be missing from the pages")
    made["components/index.md"] = "\n".join(index(plugins))
    for distribution, components in plugins.items():
        made[f"components/{name_of(components)}.md"] = "\n".join(plugin(distribution, components))
    return {name: text + "\n" for name, text in made.items()}


def name_of(components: list[Available]) -> str:
    return components[0].use.partition("/")[0]


def index(plugins: dict[str, list[Available]]) -> Iterator[str]:
    yield "# Components"
    yield "\nEvery component that comes with Sidelight, by role. The pages are written by `tools/reference.py`;"
    yield "`sidelight describe USE` prints the same for one component, also for those that others wrote."
    everything = [component for components in plugins.values() for component in components]
    for role in ROLES.values():
        ours = [component for component in everything if component.role == role.name]
        if ours:
            yield f"\n## {role.name.replace('_', ' ').capitalize()}: section `{role.section}`\n"
            yield "| Component | Summary |"
            yield "|---|---|"
            yield from (f"| [`{it.use}`]({link(it)}) | {cell(facts(it)['summary'])} |" for it in ours)


def link(component: Available) -> str:
    return f"{name_of([component])}.md#{slugify(component.use)}"


def describe_entry(catalog: Catalog, entry: Any) -> Available:
    try:
        return catalog.lookup(entry.use, entry.role)
    except Unavailable as reason:
        sys.exit(reason.message)


def sections() -> Iterator[str]:
    yield "| Section | Role | What its components do |"
    yield "|---|---|---|"
    yield from (f"| `{role.section}` | {role.name} | {DUTIES[role.name]} |" for role in ROLES.values())


DUTIES = {
    "data": "give images, labels and class names, in named splits",
    "classifier": "say what is in an image; this is what gets explained",
    "generator": "make images from latents",
    "inverter": "find the latents of an image",
    "attribute_finder": "find latent coordinates that move the classifier",
    "explainer": "explain the classifier's answer for each image",
    "metric": "measure explanations",
    "claim": "say, before the run, what it will show; answered supported, contradicted or not established",
    "renderer": "show the finished run",
    "executor": "compute the run's units of work, in other processes or on other machines",
}


def plugin(distribution: str, components: list[Available]) -> Iterator[str]:
    yield f"# {name_of(components)}"
    count = len(components)
    yield f"\n{count} component{'s' if count > 1 else ''} of the distribution `{distribution}`. This page is generated."
    for component in components:
        yield from one(component)


def one(component: Available) -> Iterator[str]:
    about = facts(component)
    yield f"\n## {component.use}"
    yield f"\n{component.role.replace('_', ' ').capitalize()}. {about['summary']}\n"
    parameters = describe(component.descriptor.params)
    yield from table(parameters) if parameters else ["No parameters."]
    notes = [
        *(need_text(need) for need in about["needs"]),
        *(f"Provides {capability(name).replace(':', ',', 1)}." for name in about["provides"]),
        *([f"Gives: {about['gives']}. Answers: {ANSWERS[about['answers']]}."] if "gives" in about else []),
        *([f"Measures: {', '.join(about['accepts'])}."] if "accepts" in about else []),
        *([f"Paper: {about['paper']}"] if about["paper"] else []),
        *(f"May not be claimed: {text}" for text in about["limits"]),
    ]
    if notes:
        yield ""
        yield from (f"- {note}" for note in notes)
    yield f"\n```yaml\n{about['example']}\n```"


def need_text(need: dict[str, Any]) -> str:
    role = need["role"].replace("_", " ")
    named = f"{role} (slot `{need['slot']}`)" if need["slot"] != need["role"] else role
    able = f" with {' and '.join(f'`{name}`' for name in need['capabilities'])}" if need["capabilities"] else ""
    return (
        f"{'Uses, where the recipe has one,' if need['optional'] else 'Needs'} a component of the role {named}{able}."
    )


def table(parameters: Iterable[Param]) -> Iterator[str]:
    yield f"| {' | '.join(HEADINGS)} |"
    yield "|" + "---|" * len(HEADINGS)
    yield from (f"| {' | '.join(map(cell, row(parameter)))} |" for parameter in parameters)


def row(parameter: Param) -> tuple[str, ...]:
    return (
        f"`{parameter.name}`",
        str(parameter.type),
        default(parameter),
        allowed(parameter),
        parameter.help,
    )


def default(parameter: Param) -> str:
    required = parameter.default is not None and not isinstance(
        parameter.default, (bool, int, float, str, tuple, list, dict)
    )
    return "required" if required else f"`{json.dumps(plain_value(parameter.default), ensure_ascii=False)}`"


def allowed(parameter: Param) -> str:
    if parameter.choices:
        return ", ".join(f"`{choice}`" for choice in parameter.choices)
    bounded = parameter.minimum is not None or parameter.maximum is not None
    return f"{bounds_text(parameter.minimum, parameter.maximum)} {parameter.unit}".rstrip() if bounded else ""


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
