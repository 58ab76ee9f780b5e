"""Strings of four digits, as in a captcha: a head for each place, right when all four are.

The pictures come from ``examples/digit_scenes.py``.
"""

_base_ = "base_config.py"

_grey = dict(type="Normalize", mean=[58.8, 58.8, 58.8], std=[66.0, 66.0, 66.0], to_rgb=False)
_folder = "data/strings"
_affine = dict(
    type="RandomAffine",
    degrees=4,
    translate=[0.02, 0.06],
    scale=[0.92, 1.08],
    shear=5,
    interpolation="bilinear",
)

main_config = dict(
    exp_name="runs/strings",
    policy=dict(
        model=dict(
            type="ImageClassifier",
            backbone=dict(
                type="ResNet_CIFAR",
                depth=18,
                in_channels=1,
                stem_channels=16,
                base_channels=16,
                num_stages=3,
                strides=[2, 2, 2],
                out_indices=[2],
            ),
            # One cell for each digit: the mean over the whole plane would not know their order.
            neck=dict(type="GridAveragePooling", grid=[1, 4]),
            head=dict(type="MultiTaskHead", in_channels=256, num_tasks=4),
        ),
        learn=dict(train_epoch=16),
        collect=dict(
            train=dict(
                type="ArrayDataset",
                data_prefix=f"{_folder}/train.npz",
                pipeline=[_affine, _grey],
            ),
            val=dict(type="ArrayDataset", data_prefix=f"{_folder}/val.npz", pipeline=[_grey]),
            test=dict(type="ArrayDataset", data_prefix=f"{_folder}/test.npz", pipeline=[_grey]),
        ),
        eval=dict(
            metric=dict(type="StringAccuracy"),
        ),
    ),
)
