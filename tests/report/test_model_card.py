"""A card is what Hugging Face reads, and a stranger too; no name in it is markup."""

import re
from dataclasses import replace

import yaml
from markdown_it import MarkdownIt

from ding_cls.report.model_card import (
    MAX_CLASSES,
    CardRecord,
    CardResult,
    CardSplit,
    Snippet,
    model_card,
)

BAD = 'a: [b] | `c` <script>"\n---\n\u202e🌷'
CARD = CardRecord(
    title="flowers",
    network="resnet18",
    is_initial_foreign=False,
    model=[("network", "resnet18")],
    classes=("daisy", "rose"),
    results=[
        CardResult("acc1", "acc1", 92.0, "92.00 %", "88.1 to 94.9"),
        CardResult("loss", "loss", 0.25, "0.2500"),
    ],
    results_about="Measured for this card on 250 images: flowers5, split val.",
    dataset="flowers5",
    split="val",
    confidence=[],
    splits=[CardSplit("val", "flowers5", "250", "50", "", "ab12")],
    training=[("optimizer", "AdamW")],
    preprocessing=["decode", "resize"],
    limits=["It names one of its classes for any image."],
    snippets=[Snippet("In plain PyTorch", "python", "import torch", "A `remark`.")],
)


def front_matter(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    return found


def test_the_front_matter_is_hugging_faces() -> None:
    about = front_matter(model_card(CARD))
    assert about == {
        "license": "unknown",
        "library_name": "ding_cls",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "pytorch", "ding_cls", "resnet18"],
        "metrics": ["accuracy", "loss"],
        "model-index": [
            {
                "name": "flowers",
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"type": "imagefolder", "name": "flowers5", "split": "val"},
                        "metrics": [
                            {"type": "accuracy", "value": 92.0, "name": "acc1"},
                            {"type": "loss", "value": 0.25, "name": "loss"},
                        ],
                    }
                ],
            }
        ],
    }


def test_the_sections_are_there_and_a_missing_one_is_not() -> None:
    text = model_card(CARD)
    sections = ["Classes", "Results", "Data", "Training", "Preprocessing", "Licence"]
    sections += ["Intended use and limits", "How to load it"]
    assert re.findall(r"^## (.*)$", text, re.M) == sections
    assert "### Confidence" not in text
    assert "| acc1 | 92.00 % | 88.1 to 94.9 |" in text
    assert "| loss | 0.2500 | – |" in text
    assert "> **Note.** Look out." in model_card(replace(CARD, notes=["Look out."]))
    assert "### Confidence" in model_card(replace(CARD, confidence=[("temperature", "1.5")]))
    assert "95 % interval" not in model_card(replace(CARD, results=[CARD.results[1]]))


def test_licences_are_to_be_filled_in() -> None:
    text = model_card(CARD)
    assert "| of the weights | unknown: fill in" in text
    assert "none: it started from random values" in text
    assert "that training started from | unknown: fill in |" in model_card(
        replace(CARD, is_initial_foreign=True)
    )


def test_without_results_nothing_is_claimed() -> None:
    about = front_matter(model_card(replace(CARD, results=[], results_about="Not measured: no data.")))
    assert about["metrics"] == []
    assert about["model-index"] == [{"name": "flowers", "results": []}]


def test_no_name_is_markup_nor_breaks_the_front_matter() -> None:
    plain = MarkdownIt("commonmark", {"html": True}).enable("table").render(model_card(CARD))
    record = replace(
        CARD,
        title=BAD,
        network=BAD,
        classes=(BAD, "rose"),
        dataset=BAD,
        splits=[CardSplit(BAD, BAD, "1", "1", BAD, "ab")],
        limits=[BAD],
        training=[(BAD, BAD)],
        preprocessing=[BAD],
        results=[CardResult(BAD, BAD, 1.0, "1")],
        results_about=BAD,
        confidence=[],
    )
    text = model_card(record)
    about = front_matter(text)
    assert list(about) == list(front_matter(model_card(CARD)))
    assert "\u202e" not in text
    body = "---\n".join(text.split("\n---\n")[1:])
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    assert "<script" not in html
    assert html.count("<h2>") == plain.count("<h2>") - plain.split("<h1>")[0].count("<h2>")
    assert html.count("<table>") == plain.count("<table>")


def test_many_classes_are_folded_and_cut() -> None:
    names = [f"class {number}" for number in range(MAX_CLASSES + 1)]
    assert "<details>" not in model_card(CARD)
    text = model_card(replace(CARD, classes=names))
    assert "The first 1,000 of 1,001 classes" in text
    assert "<details>" in text
    assert "class 999\n" in text
    assert "class 1000\n" not in text
