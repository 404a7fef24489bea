"""Hints on how to install: pages and messages name no distribution of ours as if an index had it before one does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from docsite.blocks import pages_of  # noqa: E402
from publishing import is_reserved  # noqa: E402

COMMAND = re.compile(r"\bpip install(?P<words>(?:\\\n|[^`\n#\\])*)")
OURS = re.compile(r"(?<![\w/.-])sidelight(?:-[a-z0-9-]+)?(?:\[[\w,]+\])?(?![\w/-])")
UNPUBLISHED = "on a package index yet"
MESSAGES = "src/sidelight_specs/release.py"  # where messages get their commands


def wrong_commands(text, *, published):
    """Commands that give pip one of our distributions without the wheels' folder, or with it once an index has them."""
    commands = [match for match in COMMAND.finditer(text) if OURS.search(match["words"])]
    return [match[0].strip() for match in commands if ("--find-links" in match["words"]) is published]


def sources():
    return [path for pattern in ("specs", "kernel", "plugins/*") for path in ROOT.glob(f"{pattern}/src/**/*.py")]


def test_pages_install_our_distributions_from_where_they_are():
    published = not is_reserved()
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages_of(ROOT)}
    wrong = [f"{page}: {line}" for page, text in texts.items() for line in wrong_commands(text, published=published)]
    stale = [f"{page}: {UNPUBLISHED}" for page, text in texts.items() if published and UNPUBLISHED in text]
    assert wrong + stale == []


def test_messages_take_such_commands_from_one_place():
    texts = {path: path.read_text(encoding="utf-8") for path in sources() if not path.as_posix().endswith(MESSAGES)}
    assert len(texts) > 300
    assert [f"{path}: {match[0]}" for path, text in texts.items() for match in COMMAND.finditer(text)
            if OURS.search(match["words"])] == []  # fmt: skip


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("pip install sidelight-ray", 1, 0),
        ("`pip install 'sidelight-specs[parquet]'`", 1, 0),
        ('pip install --find-links dist "sidelight[all]"', 0, 1),
        ("pip install -e examples/sidelight-occlusion\npip install pyarrow  # for sidelight results", 0, 0),
    ],
)
def test_a_command_that_no_index_can_follow_is_found(text, before, after):
    assert [len(wrong_commands(text, published=published)) for published in (False, True)] == [before, after]
