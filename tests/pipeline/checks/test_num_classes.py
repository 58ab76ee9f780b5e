"""Numbers of classes that a config has from elsewhere follow the data, in a line; others stay."""

from typing import Any

import pytest

from ding_cls.config.origins import FileNotes
from ding_cls.config.tree import put, value_at
from ding_cls.pipeline.checks.num_classes import follow_num_classes

HEAD, LOSS = "policy.model.head.num_classes", "policy.model.head.loss.num_classes"
MIXING = "policy.learn.batch_augments"
BASE, OWN = "../base.py:7", "mine.py:3"


def config(count: int = 1000) -> dict[str, Any]:
    cfg: dict[str, Any] = {"policy": {"model": {"backbone": {"num_classes": -1}}}}
    for path in (HEAD, LOSS):
        put(cfg, path, count)
    put(cfg, MIXING, [{"type": "Mixup", "num_classes": count}, {"type": "CutMix", "num_classes": count}])
    put(cfg, "policy.learn.recipes", [{"batch_augments": {"type": "Mixup", "num_classes": count}}])
    return cfg


def follow(cfg: dict[str, Any], place: str, num_classes: int = 3, **notes: Any) -> str:
    origins = {HEAD: place, LOSS: place, MIXING: place, "policy.learn.recipes": place}
    return follow_num_classes(cfg, num_classes, origins=origins, notes=FileNotes("mine.py", **notes))


@pytest.mark.parametrize(("place", "notes"), [(BASE, {}), (OWN, {"is_openmmlab": True, "data": "new"})])
def test_head_loss_and_mixing_follow_in_one_line(place: str, notes: dict[str, Any]) -> None:
    cfg = config()
    assert follow(cfg, place, **notes) == (
        "num_classes is 3, as in the data, not 1,000, in policy.model.head, policy.model.head.loss, "
        "policy.learn.batch_augments, policy.learn.recipes.0.batch_augments"
    )
    found = [HEAD, LOSS, f"{MIXING}.0.num_classes", f"{MIXING}.1.num_classes"]
    assert [value_at(cfg, path) for path in found] == [3, 3, 3, 3]
    assert value_at(cfg, "policy.model.backbone.num_classes") == -1
    assert follow(cfg, place, **notes) == ""


@pytest.mark.parametrize(
    ("place", "notes"),
    [
        (OWN, {}),
        (OWN, {"is_openmmlab": True}),
        (OWN, {"data": "new"}),
        ("override model.head.num_classes=1000", {"is_openmmlab": True, "data": "new"}),
    ],
)
def test_a_number_of_its_own_stays_for_others_to_refuse(place: str, notes: dict[str, Any]) -> None:
    cfg = config()
    assert follow(cfg, place, **notes) == ""
    assert cfg == config()


def test_a_network_without_a_head_follows_by_its_backbone() -> None:
    cfg = {"policy": {"model": {"backbone": {"type": "LeNet5", "num_classes": 10}}}}
    notes = FileNotes("mine.py", is_openmmlab=True, data="new")
    path = "policy.model.backbone.num_classes"
    line = follow_num_classes(cfg, 3, origins={path: OWN}, notes=notes)
    assert (value_at(cfg, path), line[:14]) == (3, "num_classes is")


@pytest.mark.parametrize(("topk", "kept"), [((1, 5), [1]), ([1, 2], None), ([5, 10], [1]), (5, None)])
def test_ranks_beyond_the_classes_are_left_out(topk: Any, kept: list[int] | None) -> None:
    cfg = {"policy": {"eval": {"metric": {"topk": topk}, "evaluator": {"save_best": None}}}}
    path = "policy.eval.metric.topk"
    line = follow_num_classes(cfg, 3, origins={path: BASE}, notes=FileNotes("mine.py"))
    assert value_at(cfg, path) == (topk if kept is None else kept)
    assert line == ("" if kept is None else f"{path} is {kept}")
    cfg["policy"]["eval"]["evaluator"]["save_best"] = "acc5"
    cfg["policy"]["eval"]["metric"]["topk"] = topk
    assert follow_num_classes(cfg, 3, origins={path: BASE}, notes=FileNotes("mine.py")) == ""
