"""What a browser shows where there is no answer: the server is gone, busy, locked, or another by now."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ding_cls.inference.base import BasePredictor
from tests.serve.tab import Tab, png, shown
from tests.serve.test_explain import Convolutions, predictor_of
from tests.serve.toy import COLOURS, ColourPredictor, app_of, painted, served

pytestmark = pytest.mark.slow


def replace_server(tab: Tab, other: Tab) -> None:
    """Have the server of another tab answer a page that was opened before."""

    def from_other(route: Any) -> None:
        url = other.address + route.request.url.rsplit("/")[-1]
        route.fulfill(response=route.fetch(url=url, headers={"Content-Type": "image/png"}))

    tab.page.route(re.compile(r"/(model|predict|explain.*)$"), from_other)


def test_faults_are_told_in_words(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor(), max_bytes=5000)
    tab.choose(
        ("text.png", "image/png", b"no image"),
        png(1, 2, 3, "good.png"),
        ("large.png", "image/png", bytes(9000)),
    )
    bad = tab.card("text.png")
    assert "text, not a picture" in bad.locator(".answer-fault").inner_text()
    assert re.search(r"\(error [0-9a-f]{12}\)$", bad.locator(".answer-fault").inner_text())
    assert "0.0 MB" in tab.card("large.png").locator(".answer-fault").inner_text()
    assert shown(tab.card("good.png"))[0] == "blue"
    assert tab.status() == "1 picture answered, 2 could not be."
    # What would be refused again need not be tried again.
    assert not tab.page.locator(".again:not([hidden])").count()
    tab.hand_over("drop")
    assert "no file" in tab.status()
    tab.close(statuses=[422])


def test_a_busy_server_is_asked_again_and_not_for_ever(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor(), num_busy=2)
    tab.choose(png(255, 0, 0))
    assert shown(tab.card("picture.png"))[0] == "red"
    assert len([each for each in tab.asked if each.endswith("/predict")]) == 3
    tab.close(statuses=[503])
    tab = open_tab(ColourPredictor(), num_busy=7)
    tab.choose(png(255, 0, 0))
    card = tab.card("picture.png")
    assert card.locator(".answer-fault").inner_text() == "Busy"
    assert len([each for each in tab.asked if each.endswith("/predict")]) == 6
    card.get_by_role("button", name="Try again").click()
    card.locator("h2 bdi").wait_for()
    assert shown(card)[0] == "red"
    tab.close(statuses=[503])


def test_a_server_that_is_gone(browser: Any) -> None:
    with served(app_of(ColourPredictor())) as address:
        tab = Tab(browser, address)
        tab.page.wait_for_selector("#classes:not([hidden])")
    tab.choose(png(255, 0, 0))
    fault = tab.card("picture.png").locator(".answer-fault").inner_text()
    assert fault == "The server cannot be reached."
    tab.faults = [each for each in tab.faults if "ERR_CONNECTION_REFUSED" not in each]
    tab.close()


def test_a_server_that_was_started_anew_with_another_network(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor())
    summary = tab.page.locator("summary")
    summary.click()
    tab.page.locator("#classes li").nth(2).wait_for()
    other = open_tab(ColourPredictor([*COLOURS, "grey"], num_tasks=2))
    replace_server(tab, other)
    tab.choose(png(255, 0, 0))
    assert tab.card("picture.png").locator("h2 bdi").all_inner_texts() == ["red", "green"]
    assert summary.inner_text() == "2 tasks of 4 classes"
    assert tab.page.locator("#classes li").all_inner_texts() == [*COLOURS, "grey"]
    other.close()
    tab.close()


def test_a_heat_map_of_another_network_is_not_shown_beside_an_answer(
    open_tab: Any, network: BasePredictor
) -> None:
    tab = open_tab(network)
    tab.choose(png(200, 90, 10))
    card = tab.card("picture.png")
    retrained = predictor_of(Convolutions(), size=32)
    other = open_tab(retrained)
    replace_server(tab, other)
    toggle = card.get_by_role("button", name="Where it looks")
    toggle.click()
    card.get_by_text("another network now").wait_for()
    assert toggle.get_attribute("aria-pressed") == "false"
    card.get_by_role("button", name="Try again").click()
    (expected,) = retrained([Image.open(io.BytesIO(painted(200, 90, 10)))])
    card.get_by_text(f"{expected.score:.4f}").first.wait_for()
    assert shown(tab.card("picture.png")) == (expected.name, pytest.approx(expected.score, abs=1e-4))
    toggle.click()
    tab.page.wait_for_selector("[aria-pressed='true']")
    assert not card.get_by_text("another network now").is_visible()
    other.close()
    tab.close()


def test_half_a_heat_map_is_none(open_tab: Any, network: BasePredictor) -> None:
    tab = open_tab(network)
    refusal = {"status": 422, "body": '{"error": "no"}'}
    tab.page.route("**/explain?layer=image", lambda route: route.fulfill(**refusal))
    tab.choose(png(200, 90, 10))
    card = tab.card("picture.png")
    toggle = card.get_by_role("button", name="Where it looks")
    with tab.page.expect_response("**/explain"):
        toggle.click()
    card.locator(".look-fault").get_by_text("no").wait_for()
    tab.page.wait_for_timeout(200)
    assert not card.locator(".heat").get_attribute("src")
    tab.page.unroute("**/explain?layer=image")
    toggle.click()
    tab.page.wait_for_selector("[aria-pressed='true']")
    assert card.locator(".seen").evaluate("each => each.naturalWidth") == 320
    tab.close(statuses=[422])


def test_files_that_cannot_be_sent_are_told_apart_from_a_server_that_cannot_be_reached(
    open_tab: Any, network: BasePredictor, tmp_path: Path
) -> None:
    tab = open_tab(network)
    tab.choose(("empty.png", "image/png", b""))
    assert tab.card("empty.png").locator(".answer-fault").inner_text() == "The file is empty."
    file = tmp_path / "later.png"
    file.write_bytes(painted(200, 90, 10))
    tab.page.set_input_files("#files", file)
    card = tab.card("later.png")
    shown(card)
    file.unlink()
    (tmp_path / "folder").mkdir()
    devtools = tab.context.new_cdp_session(tab.page)
    dropped = {"items": [], "files": [str(tmp_path / "folder")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 90, "y": 90, "data": dropped})
    assert "is it a folder?" in tab.card("folder").locator(".answer-fault").inner_text()
    card.get_by_role("button", name="Where it looks").click()
    card.get_by_text("cannot read this file").wait_for()
    tab.close()


def test_a_token_is_asked_for_and_kept_nowhere(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor(), token="open sesame")
    page = tab.page
    field = page.get_by_label("Token")
    field.wait_for()
    tab.choose(png(255, 0, 0))
    for word in ("wrong", "open sesame"):
        assert page.evaluate("document.activeElement.id") == "token"
        page.keyboard.type(word)
        page.keyboard.press("Enter")
        if word == "wrong":
            page.get_by_text("does not accept").wait_for()
    assert shown(tab.card("picture.png"))[0] == "red"
    assert page.locator("h1").inner_text() == "toy"
    assert not field.is_visible()
    assert field.input_value() == ""
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert not any("sesame" in each for each in [page.url, *tab.asked])
    page.reload()
    field.wait_for()
    tab.close(statuses=[401])
