"""Gallery of the recipes: one picture of each run's page, docs/gallery/index.md, and the pictures of README and home.

python tools/gallery.py                    run every recipe (the cache answers what it has), take its picture
python tools/gallery.py quickstart faces   these alone
python tools/gallery.py --runs FOLDER      the finished runs in a folder, by name; nothing is run
python tools/gallery.py --index            the index alone, from what is there

A picture is the strip of evidence on the first screen of the page, taken by Chromium: nothing is drawn for the gallery.
Those of README, home and tutorial are parts of the same pages, and are taken where their recipes are among the NAMEs.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import Error, sync_playwright
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "recipes"
GALLERY = ROOT / "docs" / "gallery"
PICTURES = ROOT / "docs" / "pictures"
FACTS = GALLERY / "gallery.json"
INDEX = GALLERY / "index.md"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

SIGNS = {">=": "≥", "<=": "≤", ">": "above", "<": "below"}  # of claims, in texts that hold no Markdown
CLAIMS_WIDTH = 1040  # CSS pixels of a page whose claims are the picture
WIDTH, SCALE = 600, 2  # CSS pixels of the strip, and device pixels for each of them
MOST_BYTES = 150_000
QUALITIES = (84, 76, 66, 54)  # of WebP; the first that stays within MOST_BYTES

OPTIONS = {"stylex-faces": ("--swap", "classifier=zoo/stylex-faces-classifier", "--swap", "generator=zoo/stylex-faces")}
"""Options that take a trained component of the zoo, made by the same recipe, in place of the training."""

STAMPS = "it shows cut-outs of Tux Paint, which are under GPL-2 and no part of Sidelight"
WITHHELD = {
    "expressions-photos": "it shows photographs of people of whom nobody says who they are",
    "flowers": STAMPS,
    "stylex-cutouts": STAMPS,
    "xnn-photos": STAMPS,
}
"""Recipes whose pictures stay on the machine that made them, and the reasons."""

RUN = "From an earlier run of this recipe."
EARLIER = {
    "interactivity": ("explorer.png", "The explorer: faces by score, sliders, and one face before and after", RUN),
    "photos-structured": (
        "home-photographs.webp",
        "A cat and a tower; Grad-CAM lights up fur around eye and mouth, and the tower; iGOS++ marks parts of both",
        "Two of its photographs and two of its ten explainers; the page has all, with insertion and deletion.",
    ),
    "planted-character": (
        "planted-character.png",
        "Six crops with an R; Grad-CAM lights up its corner, masks the R",
        RUN,
    ),
    "stylegan2-digits": ("stylegan2-digits.png", "96 samples of a StyleGAN2 trained on digits", RUN),
    "stylex-expressions": (
        "stylex-expressions.jpg",
        "Sixteen faces with the first two attributes and with several changed",
        RUN,
    ),
    "stylex-faces": ("stylex-faces.png", "Three attributes of a smile: a bent mouth, red lips, an open red mouth", RUN),
}
"""Pictures in docs/pictures, their text and what they are, shown until the gallery has its own."""

HOME = {
    "home-photographs": ("photos-structured", ("grad-cam", "igos-pp-28"), (0, 1)),
    "home-faces": ("expressions", ("direction", "grad-cam"), (0, 1, 3)),
    "home-digits": ("quickstart", ("cdeepex", "occlusion"), (1, 2, 3)),
}
"""Parts of "At a glance": the recipe, the rows below the input, and the columns; `home` has them side by side."""
UNSTICK = """() => { for (const one of document.body.querySelectorAll("*"))
  if (getComputedStyle(one).position === "sticky") one.style.position = "static"; }"""
CELL, LABEL = 130, 78  # CSS pixels of a picture and of the names of rows in these
FIRST = {"first-answer": "#answer", "first-image": "#image-1"}
"""Parts of the quickstart's page that the tutorial reads."""

CHAPTERS = {
    "Photographs": ("photos", "photos-structured", "locality", "planted-character", "quiz-photos", "xnn-photos"),
    "People and drawn faces": (
        "expressions", "expressions-photos", "stylex-expressions", "faces", "interactivity", "cdeepex-faces",
        "stylex-faces", "stylex-classes", "stylex-ablation", "concepts-faces", "concepts-isolated", "dataset-bias",
        "counterfactual-verification",
    ),
    "Handwritten digits": (
        "quickstart", "errors", "contrast-baselines", "biased-digits", "claims", "growing-eight", "starting-points",
        "other-data", "stylegan2-digits", "stylex-digits", "quiz-digits",
    ),
    "Clothes, flowers and animals": (
        "fashion-contrast", "xnn-fashion", "concepts-fashion", "stylex-fashion", "stylex-ablation-fashion", "flowers",
        "stylex-cutouts",
    ),
}  # fmt: skip

INTRODUCTION = """# Gallery

One picture of each recipe, taken from the first screen of the page that the recipe makes. The sentence under it is the
first answer of that page, word for word, or the count of its claims; [the recipes' own page]({recipes}) says what came
out over several trainings.
Pictures are examples that the page picks by rule, not at random: read the numbers before them.

{made} of {total} are here. `make gallery` makes all of them anew, which takes hours the first time;
`python tools/gallery.py NAME` makes one. Photographs come with scikit-image and scikit-learn; those of the tower and
the flower are by danielbuechele and vultilion on Flickr, under [CC BY 2.0](https://creativecommons.org/licenses/by/2.0/).
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="recipes (default: all)")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", help="take finished runs from here, and run nothing")
    parser.add_argument("--index", action="store_true", help="write the index alone")
    options = parser.parse_args(arguments)
    known = [path.stem for path in sorted(RECIPES.glob("*.yaml"))]
    if unknown := sorted(set(options.names) - set(known)):
        parser.error(f"there is no recipe {', '.join(unknown)} in {RECIPES}")
    facts = read_facts()
    failed = [] if options.index else list(take_pictures(options.names or known, options.runs, facts))
    INDEX.write_text(index(known, facts), encoding="utf-8")
    print(f"{INDEX.relative_to(ROOT)}: {len(facts)} of {len(known)} recipes; not made: {', '.join(failed) or 'none'}")
    return int(bool(failed) and options.runs is None)


def read_facts() -> dict[str, dict[str, Any]]:
    """Answers of the runs, by recipe."""
    return json.loads(FACTS.read_text(encoding="utf-8")) if FACTS.is_file() else {}


def write_facts(facts: Mapping[str, Mapping[str, Any]]) -> None:
    FACTS.parent.mkdir(exist_ok=True)
    FACTS.write_text(json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def take_pictures(names: Sequence[str], runs: Path | None, facts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Take the pictures, keep the facts after each, and give the names of the recipes without a picture."""
    chromium = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    pages: dict[str, Path] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            for name in names:
                file = finished_page(runs / name if runs else run_recipe(name))
                if file is None:
                    yield name
                    continue
                page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=SCALE)
                try:
                    facts[name] = said_by(page, file) | {"changed": changed(name, file.parent.parent)}
                    if name not in WITHHELD:
                        facts[name] |= picture_of(page, GALLERY / f"{name}.webp")
                except (Error, ValueError) as error:
                    print(f"{name}: no picture: {error}", file=sys.stderr)
                    yield name
                    continue
                finally:
                    page.close()
                pages[name] = file
                print(f"{name}: {facts[name].get('bytes', 0) // 1000} kB", flush=True)
                write_facts(facts)
            take_parts(browser, pages)
        finally:
            browser.close()


def take_parts(browser: Browser, pages: Mapping[str, Path]) -> None:
    """The pictures of README, home and tutorial, of the runs that are there."""
    parts = []
    for part, (name, rows, columns) in HOME.items():
        if name in pages:
            parts.append(glance(browser, pages[name], rows, columns))
            write_picture(PICTURES / f"{part}.webp", parts[-1])
    if len(parts) == len(HOME):
        height = max(part.height for part in parts)
        whole = Image.new("RGB", (sum(part.width for part in parts), height), parts[0].getpixel((0, 0)))
        for at, part in enumerate(parts):
            whole.paste(part, (sum(before.width for before in parts[:at]), 0))
        write_picture(PICTURES / "home.webp", whole)
    if "quickstart" in pages:
        page = browser.new_page(viewport={"width": 1180, "height": 900}, device_scale_factor=1.25)
        page.goto(pages["quickstart"].resolve().as_uri())
        for part, selector in FIRST.items():
            write_picture(PICTURES / f"{part}.webp", screenshot(page, selector))
        page.close()


def glance(browser: Browser, file: Path, rows: Sequence[str], columns: Sequence[int]) -> Image.Image:
    """Some rows and columns of "At a glance", with the names of the rows."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=SCALE)
    page.goto(file.resolve().as_uri())
    page.locator("table.glance").evaluate(
        """(table, [rows, columns, cell, label]) => {
          for (const row of [...table.rows]) {
            [...row.cells].forEach((one, at) => { if (at && !columns.includes(at - 1)) one.remove(); });
            const name = row.cells[0].childNodes[0]?.textContent ?? "";
            if (row.parentElement.localName === "tbody" && !rows.includes(name)) row.remove();
            row.cells[0].style.width = `${label}px`;
          }
          for (const note of table.querySelectorAll("p.note, a")) note.remove();
          table.style.width = `${label + cell * columns.length}px`;
          table.style.minWidth = "0";
        }""",
        [list(rows), list(columns), CELL, LABEL],
    )
    image = screenshot(page, "table.glance")
    page.close()
    return image


def screenshot(page: Page, selector: str) -> Image.Image:
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.evaluate(UNSTICK)
    return Image.open(io.BytesIO(page.locator(selector).first.screenshot(type="png"))).convert("RGB")


def write_picture(file: Path, image: Image.Image) -> int:
    """WebP, of at most `MOST_BYTES`; the size."""
    content = encoded(image)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return len(content)


def run_recipe(name: str) -> Path:
    """The run's folder, after `sidelight run`, whatever came of it."""
    folder = ROOT / "runs" / name
    command = [sys.executable, "-m", "sidelight", "run", str(RECIPES / f"{name}.yaml"), *OPTIONS.get(name, ())]
    subprocess.run([*command, "--out", str(folder)], cwd=ROOT, check=False)
    return folder


def finished_page(folder: Path) -> Path | None:
    """The report's page of a finished run; None where the run is not done."""
    manifest = folder / "run.json"
    if not manifest.is_file():
        return None
    run = json.loads(manifest.read_text(encoding="utf-8"))
    reports = [one["id"] for one in run["facts"]["components"] if one["use"] == "report/html"]
    pages = [folder / key.removeprefix("renderers.") / "index.html" for key in reports]
    return next((page for page in pages if page.is_file()), None) if run["status"] == "done" else None


def said_by(page: Page, file: Path) -> dict[str, Any]:
    """Title, question and first answer of a report, from the data that its page shows."""
    page.goto(file.resolve().as_uri())
    page.wait_for_selector("#asked")
    report = json.loads(page.locator("script#document").text_content() or "")
    run = json.loads((file.parent.parent / "run.json").read_text(encoding="utf-8"))
    found = report["answer"]["found"]
    first = {"text": found[0]["text"], "basis": found[0]["basis"]} if found else {"text": "", "basis": ""}
    if report["claims"]:  # they come first on the page
        counts = page.locator("#declared h2 small")
        first = {"text": f"Of {len(report['claims'])} claims: {counts.inner_text()}.", "basis": "measured"}
    return {
        "title": report["title"],
        "asked": report["answer"]["asked"],
        "answer": first["text"],
        "basis": first["basis"],
        "sidelight": run["facts"]["environment"].get("sidelight", ""),
        "finished": run["finished"][:10],
    }


def changed(name: str, folder: Path) -> list[str]:
    """Settings in which a run departs from the recipe as the gallery runs it: `explain.count: 2`."""
    recipe = load_recipe(RECIPES / f"{name}.yaml", swap=[*OPTIONS.get(name, ())[1::2]], catalog=installed())
    ran = json.loads((folder / "run.json").read_text(encoding="utf-8"))["facts"]["recipe"]
    meant, made = dict(flat(recipe.plain)), dict(flat(ran))
    return [
        f"{key}: {json.dumps(made.get(key))}" for key in sorted(meant.keys() | made) if meant.get(key) != made.get(key)
    ]


def flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested dict under dotted keys; a tuple counts as a list."""
    if isinstance(value, dict) and value:
        for key, held in value.items():
            yield from flat(held, f"{at}.{key}" if at else str(key))
    else:
        yield at, json.loads(json.dumps(value))


def picture_of(page: Page, file: Path) -> dict[str, Any]:
    """The strip of evidence as WebP, with its size and a text for who cannot see it; else the first card.

    Of a run with claims it is these.
    """
    claims = page.locator("#declared li")
    if claims.count():
        page.set_viewport_size({"width": CLAIMS_WIDTH, "height": 900})
        texts = [" ".join(text.split()) for text in claims.locator(".verdict b, .said .text").all_inner_texts()]
        shown = "; ".join(f"{text}: {verdict}" for verdict, text in zip(texts[::2], texts[1::2], strict=True))
        image = screenshot(page, "#declared")
        size = write_picture(file, image)
        for sign, word in SIGNS.items():
            shown = shown.replace(sign, word)
        return {"alt": shortened(shown), "width": image.width, "height": image.height, "bytes": size}
    strip = page.locator("#answer .pictures")
    has_strip = strip.count() > 0
    part = strip if has_strip else page.locator(".card").first
    part.evaluate(
        "(part, width) => { part.style.cssText += `; width: ${width}px; padding: 12px; box-sizing: border-box`;"
        " part.querySelector('.note')?.remove(); }",
        WIDTH,
    )
    image = screenshot(page, "#answer .pictures" if has_strip else ".card")
    size = write_picture(file, image)
    captions = [" ".join(text.split()) for text in part.locator("figcaption").all_inner_texts()]
    title = page.locator("h1").inner_text()
    shown = "; ".join(captions) if has_strip else "The first image with every explanation of it"
    return {"alt": shortened(f"{title} {shown}"), "width": image.width, "height": image.height, "bytes": size}


def encoded(image: Image.Image) -> bytes:
    """WebP of at most `MOST_BYTES`; ValueError where no quality is small enough."""
    for quality in QUALITIES:
        image.save(target := io.BytesIO(), "WEBP", quality=quality, method=6)
        if target.tell() <= MOST_BYTES:
            return target.getvalue()
    raise ValueError(f"the picture takes {target.tell()} bytes, more than {MOST_BYTES}")


def shortened(text: str, most: int = 300) -> str:
    """A text of at most `most` characters, cut at a semicolon, without what Markdown would read."""
    text = re.sub(r"[\[\]|`*_<>\\]", "", text)
    return text if len(text) <= most else text[: text.rindex(";", 0, most)] if ";" in text[:most] else text[:most]


def index(names: Sequence[str], facts: Mapping[str, Mapping[str, Any]]) -> str:
    """The gallery's page: chapters, and an entry for every recipe."""
    made = sum(has_picture(name, facts) for name in names)
    parts = [INTRODUCTION.format(recipes="../../recipes/README.md", made=made, total=len(names))]
    placed = {name for chapter in CHAPTERS.values() for name in chapter}
    rest = tuple(name for name in names if name not in placed)
    for chapter, members in {**CHAPTERS, **({"More": rest} if rest else {})}.items():
        here = sorted((name for name in members if name in names), key=lambda name: not has_picture(name, facts))
        links = " · ".join(f"[{name}](#{name})" for name in here)
        parts += [f"\n## {chapter}\n\n{links}\n", *(entry(name, facts.get(name, {})) for name in here)]
    return "".join(parts)


def has_picture(name: str, facts: Mapping[str, Mapping[str, Any]]) -> bool:
    return "alt" in facts.get(name, {}) or name in EARLIER


def entry(name: str, fact: Mapping[str, Any]) -> str:
    """One recipe: question, picture or why there is none, answer, command, cost."""
    title, cost = header(RECIPES / f"{name}.yaml")
    lines = [f"\n### {name}\n", f"**{title}**\n"]
    if "alt" in fact:
        lines.append(f"![{fact['alt']}]({name}.webp)\n")
    elif name in EARLIER:
        picture, alt, note = EARLIER[name]
        lines.append(f"![{alt}](../pictures/{picture})\n\n*{note}*\n")
    elif name in WITHHELD:
        lines.append(f"*Picture not kept here: {WITHHELD[name]}. The command makes it on your machine.*\n")
    else:
        lines.append("*Picture not made yet: the command makes the page, and `make gallery` the picture.*\n")
    if fact.get("answer"):
        lines.append(f"> {fact['answer']} *({fact['basis']}; run of {fact['finished']})*\n")
    if fact.get("changed"):
        lines.append(f"Made with other settings than the recipe's: `{'`, `'.join(fact['changed'])}`.\n")
    if name in OPTIONS:
        lines.append("Made with the zoo's weights, which this recipe trained; without the swaps it trains them anew.\n")
    command = " ".join(("sidelight run", name, *OPTIONS.get(name, ())))
    lines.append(f"```\n{command}\n```\n\nTime: {cost}\n")
    return "\n".join(lines)


def header(path: Path) -> tuple[str, str]:
    """A recipe's title, and what its header says of time."""
    text = path.read_text(encoding="utf-8")
    said = re.search(r"^# Time: (.*(?:\n#   +\S.*)*)", text, re.MULTILINE)
    cost = re.sub(r"\s*\n#\s*", " ", said[1]) if said else "not said"
    title = re.search(r"^title: (.*)$", text, re.MULTILINE)
    return title[1] if title else path.stem, cost


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
