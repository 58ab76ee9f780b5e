"""docs/errors.md is what the command line prints: every message on it is produced here."""

import pytest

from tests.docs.scripts import script_of

SCRIPT = script_of("draw_errors")
CASES = [case for cases in SCRIPT.CASES.values() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_message_on_the_page_is_what_is_printed(case: object) -> None:
    code, printed = SCRIPT.outcome(case)
    assert code == 2
    assert SCRIPT.shown(case, printed) in SCRIPT.PAGE.read_text(encoding="utf-8"), (
        "the message has changed; look at it and run: python docs/draw_errors.py"
    )


def test_the_page_holds_these_messages_and_no_others() -> None:
    page = SCRIPT.PAGE.read_text(encoding="utf-8")
    assert page.count("$ ding-cls ") == len(CASES)
    assert page.startswith(SCRIPT.HEAD)
    assert page.count("\n## ") == len(SCRIPT.CASES)
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_message_begins_with_error_and_shows_no_traceback(case: object) -> None:
    page = SCRIPT.PAGE.read_text(encoding="utf-8")
    begin = page.index(f"$ ding-cls {case.command}\n")  # type: ignore[attr-defined]
    message = page[begin : page.index("```", begin)].splitlines()[1:]
    assert message
    assert message[0].startswith(("error: ", "usage: "))
    assert not any("Traceback" in line for line in message)
