"""What a browser shows of a served network's answers: by drop, paste, choice and keys, at all widths."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ding_cls
from ding_cls.inference.base import BasePredictor
from tests.report.example import HOSTILE
from tests.serve.onnx_files import write_onnx
from tests.serve.tab import TOO_WIDE, in_all_forms, png, shown
from tests.serve.toy import COLOURS, ColourPredictor, demanding, painted

pytestmark = pytest.mark.slow

SHAPES = [(width, scheme) for width in (320, 400, 1600, 2000) for scheme in ("light", "dark")]


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


def test_the_status_keeps_names_and_scores_together_whatever_their_direction(open_tab: Any) -> None:
    tab = open_tab(ColourPredictor(["שלום", "عالم", "c"], has_several_labels=True, threshold=0.5))
    tab.choose(png(255, 255, 255))
    tab.card("picture.png")
    assert tab.page.locator("#status bdi").all_inner_texts()[:3] == ["picture.png", "שלום", "عالم"]
    places = "each => [...each.querySelectorAll('bdi')].slice(1).map((name) => name.offsetLeft)"
    first, second, _ = tab.page.locator("#status").evaluate(places)
    assert first < second
    tab.close()


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
