"""README.md says what is true: what the window calls things, which commands there are, which files a release has."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

import release
from distill import gui
from distill.cli.app import app
from distill.config.family_catalog import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FOR_USERS = TEXT.partition("\n## For developers\n")[0]


@cache
def words_of_the_window() -> set[str]:
    """Return all that the window says, without what marks a key."""
    found = {family.plain_name for family in FAMILIES}
    for path in Path(gui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value.replace("&", ""))
    return found


#: Words in italics are those of the window; a menu and its entry have an arrow between them.
QUOTED = sorted(
    {part for text in re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", FOR_USERS) for part in text.split(" → ")}
)


@pytest.mark.parametrize("text", QUOTED)
def test_the_window_has_what_is_named(text: str) -> None:
    said = words_of_the_window()
    assert {text, f"{text}…"} & said or (text == "Check…" and any(word.startswith("Check: ") for word in said))


def test_enough_is_named() -> None:
    assert {"Start", "Finish now", "Export kit…", "Report a problem…", "Fast"} <= set(QUOTED)


def commands() -> dict[str, Any]:
    """Return all commands of the terminal; those of a group with its name before them."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {name: command} if inner is None else {f"{name} {key}": made for key, made in inner.items()}
    return found


NAMED = sorted(set(re.findall(r"`(distill [a-z][^`]*)`", TEXT)))


@pytest.mark.parametrize("line", NAMED)
def test_the_commands_and_their_options_are_there(line: str) -> None:
    known = commands()
    words = shlex.split(line)[1:]
    name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
    assert name in known
    options = {option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options


def test_every_command_has_a_line() -> None:
    """Of a group of commands, one has an example and the others are named beside it."""
    lines = [line for line in TEXT.splitlines() if line.startswith("| `distill")]
    for name in commands():
        group, _, inner = name.rpartition(" ")
        named = [line for line in lines if re.match(rf"\| `distill {group or inner}\b", line)]
        assert any(re.search(rf"\b{inner}\b", line) for line in named), name


def test_the_downloads_are_those_of_a_release() -> None:
    """A file in the table is written with an ellipsis in place of the version."""
    named = set(re.findall(r"`distill[_-]…([_-][\w.-]+)`", FOR_USERS))
    assert named == set(release.INSTALLERS.values())


def test_the_two_commands_of_a_developer_are_lines_of_their_own() -> None:
    lines = TEXT.partition("\n## For developers\n")[2].splitlines()
    assert "    python3 packaging/dev.py" in lines
    assert "    python3 packaging/dev.py test" in lines


def test_links_and_pictures_lead_somewhere() -> None:
    targets = set(re.findall(r"\]\(([^)#]+)\)", TEXT)) | set(re.findall(r'src(?:set)?="([^"]+)"', TEXT))
    own = {target for target in targets if not target.startswith(("http", "../../releases"))}
    assert own
    assert {target for target in own if not (ROOT / target).exists()} == set()
    headings = {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in re.findall(r"^#+ (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
