"""Arguments of mmclassification's parts without effect here do not reach the parts."""

from typing import Any

import pytest

from ding_cls.config import compile_config, resolve
from ding_cls.config.openmmlab.ignored_arguments import drop_ignored

HEAD = {"type": "LinearClsHead", "in_channels": 8, "topk": (1, 5), "cal_acc": True}
SEESAW = {"type": "SeesawLoss", "use_sigmoid": False}


@pytest.mark.parametrize("spelling", ["native", "mmclassification's"])
def test_a_config_that_has_them_compiles_without_them(spelling: str) -> None:
    head = {**HEAD, "loss": dict(SEESAW)}
    model = {"type": "ImageClassifier", "backbone": {"type": "LeNet5"}, "head": head}
    steps = [{"type": "Albu", "transforms": [], "update_pad_shape": True}]
    train = {"type": "CustomDataset", "data_prefix": "d", "pipeline": steps}
    cfg: dict[str, Any] = {"model": model, "data": {"train": train}}
    if spelling == "native":
        cfg = {"policy": {"model": model, "collect": {"train": train}}}
    compiled = compile_config(cfg, save_cfg=False)
    found = compiled.policy.model.head
    assert set(found) == {"type", "in_channels", "loss"}
    assert dict(found.loss) == {"type": "SeesawLoss"}
    assert dict(compiled.policy.collect.train.pipeline[0]) == {"type": "Albu", "transforms": []}
    assert "topk" in head


def test_values_with_an_effect_and_parts_of_others_stay() -> None:
    cfg = [{"type": "SeesawLoss", "use_sigmoid": True}, {"type": "Accuracy", "topk": (1, 5)}, {"topk": 1}]
    expected = [dict(each) for each in cfg]
    drop_ignored(cfg)
    assert cfg == expected


def test_a_word_on_the_command_line_may_set_them() -> None:
    cfg = {"policy": {"model": {"head": {"type": "LinearClsHead", "in_channels": 8}}}}
    head = resolve(cfg, ["policy.model.head.topk=(1, 5)"]).cfg["policy"]["model"]["head"]
    assert head == {"type": "LinearClsHead", "in_channels": 8}


def test_a_misspelt_delete_of_parameters_settings_is_passed_over() -> None:
    cfg = {"optimizer": {"type": "AdamW", "paramwise_cfg": {"_delete": True, "norm_decay_mult": 0.0}}}
    drop_ignored(cfg)
    assert cfg["optimizer"]["paramwise_cfg"] == {"norm_decay_mult": 0.0}


def test_of_datasets_what_asks_for_what_happens_anyway() -> None:
    disk = {"backend": "disk"}
    big = {"type": "ImageNet21k", "recursion_subdir": True, "serialize_data": True, "multi_label": False}
    cfg = [dict(big, file_client_args=disk), {"type": "ImageNet", "file_client_args": {"backend": "petrel"}}]
    drop_ignored(cfg)
    assert cfg == [{"type": "ImageNet21k"}, {"type": "ImageNet", "file_client_args": {"backend": "petrel"}}]
