"""docs/troubleshooting.md quotes the messages that there are, and misses none."""

import ast
import re
from functools import cache

from warehouse import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "docs" / "troubleshooting.md").read_text()
MESSAGES = ("UserError", "AlreadyRunning")
REASONS = ("ObjectFailed", "ConnectionFailed", "TextRefused")


def told(section: str) -> list[str]:
    """The quotations in the first column of a section's table, or of all of them."""
    part = TEXT.split(f"## {section}\n")[1].split("\n## ")[0] if section else TEXT
    rows = re.findall(r"^\| (`+)(.+?)\1 \|", part, re.MULTILINE)
    return [row[1] for row in rows]


def written(node: ast.AST) -> str | None:
    """A text of the source, `…` for what is put into it; None for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(written(value) or "…" for value in node.values)
    return None


@cache
def calls() -> list[tuple[str, str, str]]:
    """Folder, name and text of each call in the source that is given a text."""
    found = []
    for folder in ("warehouse", "ingestion", "sandbox", "api"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    values = (*node.args, *(each.value for each in node.keywords))
                    found += [
                        (folder, name, text) for text in map(written, values) if text
                    ]
    return found


def texts(*names: str, without: str = "") -> set[str]:
    """The texts that calls of these names are given, in all folders but one."""
    return {text for place, name, text in calls() if name in names and place != without}


def is_beginning(quotation: str, message: str) -> bool:
    return message.startswith(quotation.removesuffix("…"))


def is_explained(printed: str) -> bool:
    """Return whether the document quotes what a command has printed."""
    return any(
        re.match(r"error: " + ".+".join(map(re.escape, each.split("…"))), printed)
        for each in told("")
    )


def test_every_error_that_ends_a_command_is_explained_by_its_own_words() -> None:
    quotations = told("")
    for message in texts(*MESSAGES, without="api"):
        assert any(is_beginning(each, message) for each in quotations), message


def test_every_quotation_is_the_beginning_of_a_message_of_the_source() -> None:
    reasons = told("Objects that fail")
    events = told("Lines of the log")
    errors = [each for each in told("") if each not in (*reasons, *events)]
    printed = {text.removeprefix("error: ") for text in texts("print")}
    for quotations, messages in (
        (errors, texts(*MESSAGES) | printed),
        (reasons, texts(*REASONS, "Attempt")),
        (events, texts("info", "warning")),
    ):
        assert quotations
        for quotation in quotations:
            assert any(is_beginning(quotation, each) for each in messages), quotation


def test_a_message_says_what_to_do_after_what_is_wrong() -> None:
    for message in texts(*MESSAGES, without="api"):
        assert len(re.split(r"[.:;] ", message)) > 1, message
        assert message.endswith("."), message
