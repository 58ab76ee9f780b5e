"""What mmclassification's heads are drawn from where a config in its spelling is silent."""

from typing import Any

import pytest

from ding_cls.config.openmmlab.translate import translate

NORMAL = {"type": "Normal", "layer": "Linear", "std": 0.01}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"type": "LinearClsHead"}, NORMAL),
        ({"type": "MultiLabelLinearClsHead"}, NORMAL),
        ({"type": "CSRAClsHead"}, NORMAL),
        ({"type": "VisionTransformerClsHead"}, {"type": "Constant", "layer": "Linear", "val": 0.0}),
        (
            {"type": "VisionTransformerClsHead", "hidden_dim": 8},
            {"type": "Constant", "layer": "Linear", "val": 0.0},
        ),
        ({"type": "LinearClsHead", "init_cfg": None}, None),
        ({"type": "StackedLinearClsHead"}, "nothing"),
    ],
)
def test_a_silent_head_is_drawn_as_there(head: dict[str, Any], expected: Any) -> None:
    cfg = {"model": {"type": "ImageClassifier", "head": head}, "optimizer": {"type": "SGD", "lr": 0.1}}
    found = translate(cfg).cfg["policy"]["model"]["head"]
    assert found.get("init_cfg", "nothing") == expected
