"""A browser tries a served network: by drop, paste, choice and keys, at all widths, in light and dark."""

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ding_cls
from ding_cls.inference.base import BasePredictor
from tests.report.example import HOSTILE
from tests.serve.onnx_files import write_onnx
from tests.serve.tab import TOO_WIDE, Tab, in_all_forms, png
from tests.serve.test_explain import Convolutions, predictor_of
from tests.serve.toy import COLOURS, ColourPredictor, app_of, demanding, painted, served

pytestmark = pytest.mark.slow

SHAPES = [(width, scheme) for width in (320, 400, 1600, 2000) for scheme in ("light", "dark")]


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Any]:
    with contextlib.ExitStack() as servers:

        def opened(
            predictor: BasePredictor, *, width: int = 1000, scheme: str = "light", **limits: Any
        ) -> Tab:
            address = servers.enter_context(served(app_of(predictor, **limits)))
            return Tab(browser, address, width=width, scheme=scheme)

        yield opened


def shown(card: Any) -> tuple[str, float]:
    """Return label and score in the heading of a card."""
    return card.locator("h2 bdi").inner_text(), float(card.locator("h2 .score").inner_text())


@pytest.fixture(scope="module")
def network() -> BasePredictor:
    predictor = predictor_of(Convolutions(), size=32)
    for parameter in predictor.model.parameters():
        parameter.data *= 6
    return predictor


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_the_answer_is_that_of_the_predictor_for_every_form_of_image(
    open_tab: Any, network: BasePredictor, way: str
) -> None:
    tab = open_tab(network)
    files = in_all_forms()
    if way == "choose":
        tab.choose(*files)
    else:
        tab.hand_over(way, *files)
    labels = set()
    for name, _, body in files:
        card = tab.card(name)
        (expected,) = network([Image.open(io.BytesIO(body))])
        label, score = shown(card)
        assert label == expected.name
        assert score == pytest.approx(expected.score, abs=1e-4)
        rows = [row.split() for row in card.locator(".ranking li").all_inner_texts()]
        assert [row[0] for row in rows] == [each.name for each in expected.top(5)]
        assert [float(row[1]) for row in rows] == pytest.approx(
            [each.score for each in expected.top(5)], abs=1e-4
        )
        labels.add(label)
    sizes = tab.page.locator("article[aria-label='turned.jpg'] .whole").evaluate(
        "image => [image.naturalWidth, image.naturalHeight]"
    )
    assert sizes == [40, 60]
    # What is transparent is on white, as for the network; beside the picture there is nothing white.
    box = tab.page.locator("article[aria-label='turned.jpg'] .whole").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(40 / 60, rel=0.01)
    assert tab.status() == "7 pictures answered."
    assert tab.page.locator("article").count() == 7
    tab.page.get_by_role("button", name="Remove all").click()
    assert tab.page.locator("article").count() == 0
    tab.close()


@pytest.mark.parametrize(("width", "scheme"), SHAPES)
def test_nothing_is_too_wide(open_tab: Any, network: BasePredictor, width: int, scheme: str) -> None:
    tab = open_tab(network, width=width, scheme=scheme)
    tab.page.wait_for_selector("#classes:not([hidden])")
    assert tab.page.evaluate(TOO_WIDE) == []
    tab.choose(*in_all_forms(), ("a name " + "without_end" * 30 + ".png", "image/png", painted(9, 9, 9)))
    tab.card("turned.jpg").get_by_role("button", name="Where it looks").click()
    tab.page.wait_for_selector("[aria-pressed='true']")
    tab.page.locator("summary").click()
    assert tab.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
    tab.close()


def test_keys_alone(open_tab: Any, network: BasePredictor) -> None:
    tab = open_tab(network)
    page, keys = tab.page, tab.page.keyboard
    # Whoever begins to listen for it as late as `expect_file_chooser` may be later than the key.
    page.on("filechooser", lambda _: None)
    page.wait_for_selector("#classes:not([hidden])")
    focused = "document.activeElement.id || document.activeElement.textContent.trim()"
    keys.press("Tab")
    assert page.evaluate(focused) == "3 classes"
    keys.press("Tab")
    assert page.evaluate(focused) == "files"
    assert page.locator(".drop label").evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    with page.expect_file_chooser() as chooser:
        keys.press("Enter")
    chooser.value.set_files([{"name": "a.png", "mimeType": "image/png", "buffer": painted(200, 90, 10)}])
    card = tab.card("a.png")
    words = []
    for _ in range(2):
        keys.press("Tab")
        words.append(page.evaluate(focused))
    assert words == ["clear", "Where it looks"]
    keys.press("Space")
    page.wait_for_selector("[aria-pressed='true']")
    assert card.locator(".heat").evaluate("each => each.naturalWidth") == 320
    assert not card.locator(".whole").is_visible()
    keys.press("Tab")
    for _ in range(3):
        keys.press("ArrowLeft")
    assert card.locator(".heat").evaluate("each => each.style.opacity") == "0.85"
    keys.press("Shift+Tab")
    keys.press("Enter")
    page.wait_for_selector("[aria-pressed='false']")
    assert card.locator(".whole").is_visible()
    keys.press("Shift+Tab")
    keys.press("Enter")
    assert page.evaluate(focused) == "files"
    tab.close()


def test_a_screen_reader_hears_the_answer(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor())
    tab.choose(png(255, 0, 0))
    card = tab.card("picture.png")
    (expected,) = ColourPredictor()([Image.open(io.BytesIO(painted(255, 0, 0)))])
    assert tab.status() == f"picture.png: red {expected.score:.4f}"
    assert tab.page.locator("#status").get_attribute("role") == "status"
    first = card.get_by_role("meter").first
    assert first.get_attribute("aria-label") == "red"
    assert float(first.get_attribute("aria-valuenow")) == pytest.approx(expected.score, abs=1e-4)
    # Without gradients there is no heat map to ask for.
    assert not card.locator(".toggle").is_visible()
    tab.choose(png(0, 255, 0, "next.png"))
    tab.card("next.png")
    assert tab.status().startswith("next.png: green ")
    assert tab.page.locator("article").first.get_attribute("aria-label") == "next.png"
    tab.close()


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

    def from_other(route: Any) -> None:
        url = other.address + route.request.url.rsplit("/")[-1]
        route.fulfill(response=route.fetch(url=url, headers={"Content-Type": "image/png"}))

    tab.page.route(re.compile("/(model|predict)$"), from_other)
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
    tab.page.route(
        re.compile("/(model|predict|explain.*)$"),
        lambda route: route.fulfill(
            response=route.fetch(
                url=other.address + route.request.url.rsplit("/")[-1], headers={"Content-Type": "image/png"}
            )
        ),
    )
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


def test_the_status_keeps_names_and_scores_together_whatever_their_direction(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor(["שלום", "عالم", "c"], has_several_labels=True, threshold=0.5))
    tab.choose(png(255, 255, 255))
    tab.card("picture.png")
    assert tab.page.locator("#status bdi").all_inner_texts()[:3] == ["picture.png", "שלום", "عالم"]
    places = "each => [...each.querySelectorAll('bdi')].slice(1).map((name) => name.offsetLeft)"
    first, second, _ = tab.page.locator("#status").evaluate(places)
    assert first < second
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


def test_several_labels(open_tab: Any) -> None:
    classes = [*COLOURS, "a", "b", "c", "d", "e"]
    predictor = ColourPredictor(classes, has_several_labels=True, threshold=0.02)
    tab = open_tab(predictor, width=320)
    tab.choose(png(255, 255, 0))
    card = tab.card("picture.png")
    (expected,) = predictor([Image.open(io.BytesIO(painted(255, 255, 0)))])
    named = [predictor.names[each] for each in expected.label]
    assert len(named) > 5
    assert card.locator("h2 bdi").all_inner_texts() == named
    assert sorted(card.locator("li.is-named bdi").all_inner_texts()) == sorted(named)
    assert card.locator("li[aria-current=true]").count() == len(named)
    assert tab.page.locator("summary").inner_text() == "8 classes, several on a picture"
    tab.close()
    tab = open_tab(ColourPredictor(has_several_labels=True, threshold=1.0))
    tab.choose(png(0, 0, 0))
    card = tab.card("picture.png")
    assert card.locator("h2").inner_text() == "no class"
    assert card.locator("li").count() == 3
    assert card.locator("li.is-named").count() == 0
    tab.close()


def test_several_tasks_and_the_unknown(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor(num_tasks=3), width=320)
    tab.choose(png(255, 0, 0))
    card = tab.card("picture.png")
    assert card.locator("h3").all_inner_texts() == ["Task 1", "Task 2", "Task 3"]
    assert card.locator("h2 bdi").all_inner_texts() == ["red", "green", "blue"]
    assert card.locator("li.is-named bdi").all_inner_texts() == ["red", "green", "blue"]
    assert tab.page.locator("summary").inner_text() == "3 tasks of 3 classes"
    tab.close()
    tab = open_tab(ColourPredictor(calibration=demanding(3)))
    tab.choose(png(255, 0, 0))
    card = tab.card("picture.png")
    assert card.locator("h2").inner_text() == "unknown"
    assert card.locator("li bdi").first.inner_text() == "red"
    assert card.locator("li.is-named").count() == 0
    assert tab.status() == "picture.png: unknown"
    tab.close()


@pytest.mark.parametrize("width", [320, 1600])
def test_names_stay_text_and_a_thousand_classes_are_quick(open_tab: Any, width: int) -> None:
    classes = [f"{name} {number}" for number in range(125) for name in HOSTILE]
    assert len(classes) == 1000
    predictor = ColourPredictor(classes)
    tab = open_tab(predictor, width=width)
    tab.choose(*(png(255, 0, 0, f"{name}.png") for name in HOSTILE[:3]))
    tab.page.locator("article[aria-busy=false] .ranking").nth(2).wait_for()
    assert tab.page.locator("article").first.locator("li").count() == 5
    assert tab.page.locator("article script, article img[src=x]").count() == 0
    names = [each.get_attribute("aria-label") for each in tab.page.locator("article").all()]
    assert names == [f"{name}.png" for name in HOSTILE[:3]]
    assert tab.page.title() == "toy"
    tab.page.locator("summary").click()
    tab.page.locator("#classes li").nth(999).wait_for()
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.tagName") == "UL"
    listed = tab.page.locator("#classes li").all_inner_texts()[: len(HOSTILE)]
    assert listed[:3] == [f"{name} 0" for name in HOSTILE[:3]]
    assert listed[3:7] == [
        "two\\u000alines\\u2028three 0",
        "lost \udce9 byte 0",
        "שלום עולם 0",
        "\\u202egnp.exe 0",
    ]
    assert len(listed[7]) == 301
    tab.close()


def test_what_the_browser_cannot_show_the_server_shows(open_tab: Any, network: BasePredictor) -> None:
    tiff = ("scan.tif", "image/tiff", painted(10, 200, 30, kind="TIFF"))
    tab = open_tab(network)
    tab.choose(tiff)
    tab.page.wait_for_selector(".whole[src]:not([hidden])")
    assert tab.card("scan.tif").locator(".whole").evaluate("each => each.naturalWidth") == 320
    assert not tab.page.get_by_text("cannot show").is_visible()
    tab.close()
    tab = open_tab(ColourPredictor())
    tab.choose(tiff)
    assert shown(tab.card("scan.tif"))[0] == "green"
    tab.page.get_by_text("This browser cannot show the file.").wait_for()
    tab.close()


def test_an_onnx_file(open_tab: Any, tmp_path: Path) -> None:
    predictor = ding_cls.load(write_onnx(tmp_path / "model.onnx"))
    tab = open_tab(predictor, width=400)
    tab.choose(*in_all_forms())
    for name, _, body in in_all_forms():
        card = tab.card(name)
        (expected,) = predictor([Image.open(io.BytesIO(body))])
        assert shown(card) == (expected.name, pytest.approx(expected.score, abs=1e-4))
        assert not card.locator(".toggle").is_visible()
    tab.close()


def test_no_heat_map_without_its_library(
    open_tab: Any, network: BasePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    tab = open_tab(network)
    tab.choose(png(200, 90, 10))
    card = tab.card("picture.png")
    assert card.locator(".whole").is_visible()
    assert not card.locator(".toggle").is_visible()
    tab.close()
