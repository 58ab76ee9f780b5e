"""Descriptions of datasets that the tests of this room share."""

from pathlib import Path
from typing import Any

from ding_cls.config import compile_config
from ding_cls.policy import ImageClassificationPolicy

CLASSES = ("ash", "birch", "cedar", "fir")
LOAD = {"type": "LoadImageFromFile"}
NORMALIZE = {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
FORMAT = [{"type": "ImageToTensor", "keys": ["img"]}, {"type": "Collect", "keys": ["img", "gt_label"]}]
TRAIN = [LOAD, {"type": "RandomResizedCrop", "size": 8}, {"type": "RandomFlip"}, NORMALIZE, *FORMAT]
SQUASH = [LOAD, {"type": "Resize", "size": 8}, NORMALIZE, *FORMAT]


def compiled(**collect: Any) -> Any:
    return compile_config(
        {"policy": {"collect": collect}}, 3, save_cfg=False, policy=ImageClassificationPolicy
    )


def folders(root: Path, **collect: Any) -> dict[str, Any]:
    return {"learn_data_path": str(root / "train"), "eval_data_path": str(root / "val"), **collect}


def custom(pipeline: Any = None, **arguments: Any) -> dict[str, Any]:
    given = {} if pipeline is None else {"pipeline": pipeline}
    return {"type": "CustomDataset", **given, **arguments}
