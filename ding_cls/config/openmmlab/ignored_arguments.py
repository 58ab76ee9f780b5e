"""Arguments of mmclassification's parts that change nothing here: taken out before a part gets them.

Which accuracies an evaluation gives is its metric's setting, the accuracy of training is always logged, and a
sample here has no ``pad_shape``; images are read from the disk, and lists of them are kept as they are.
Configs of earlier versions, also those in checkpoints, have them as well.
"""

from typing import Any

_ANY = object()
_OF_HEADS = {"topk": _ANY, "cal_acc": _ANY}
_OF_FOLDERS = {"file_client_args": (None, {"backend": "disk"})}
# By type: each argument, and the values without effect.
IGNORED: dict[str, dict[str, Any]] = {
    "ClsHead": _OF_HEADS,
    "LinearClsHead": _OF_HEADS,
    "StackedLinearClsHead": _OF_HEADS,
    "VisionTransformerClsHead": _OF_HEADS,
    "DeiTClsHead": _OF_HEADS,
    "EfficientFormerClsHead": _OF_HEADS,
    "ConformerHead": _OF_HEADS,
    "CustomDataset": _OF_FOLDERS,
    "ImageNet": _OF_FOLDERS,
    "ImageNet21k": {
        "recursion_subdir": (True,),
        "multi_label": (False,),
        "serialize_data": _ANY,
        **_OF_FOLDERS,
    },
    "SeesawLoss": {"use_sigmoid": (False,)},
    "Albu": {"update_pad_shape": _ANY},
}


def drop_ignored(value: Any) -> None:
    """Take these arguments out of each ``dict(type=, ...)``, at any depth, in place."""
    if isinstance(value, list | tuple):
        for each in value:
            drop_ignored(each)
        return
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    for name, nothing in (IGNORED.get(kind, {}) if isinstance(kind, str) else {}).items():
        if name in value and (nothing is _ANY or value[name] in nothing):
            del value[name]
    for name, each in value.items():
        if name == "paramwise_cfg" and isinstance(each, dict):
            # Some files have this for _delete_; mmcv passes it over.
            each.pop("_delete", None)
        drop_ignored(each)
