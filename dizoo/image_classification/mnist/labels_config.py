"""Several labels a picture: which digits are there? The pictures come from ``examples/digit_scenes.py``."""

_base_ = "base_config.py"

_grey = dict(type="Normalize", mean=[20.5, 20.5, 20.5], std=[63.8, 63.8, 63.8], to_rgb=False)
_folder = "data/labels"

main_config = dict(
    exp_name="runs/labels",
    policy=dict(
        model=dict(
            type="ImageClassifier",
            backbone=dict(
                type="ResNetV1c",
                depth=18,
                in_channels=1,
                stem_channels=16,
                base_channels=32,
                num_stages=2,
                out_indices=[1],
            ),
            neck=dict(type="GeneralizedMeanPooling"),
            head=dict(type="MultiLabelLinearClsHead", in_channels=64),
        ),
        learn=dict(train_epoch=8),
        collect=dict(
            train=dict(
                type="ArrayDataset",
                data_prefix=f"{_folder}/train.npz",
                pipeline=[dict(type="RandomCrop", size=56, padding=4), _grey],
            ),
            val=dict(type="ArrayDataset", data_prefix=f"{_folder}/val.npz", pipeline=[_grey]),
            test=dict(type="ArrayDataset", data_prefix=f"{_folder}/test.npz", pipeline=[_grey]),
        ),
        eval=dict(
            metric=dict(
                type="ClassificationMetrics",
                metrics=["mAP", "CP", "CR", "CF1", "OP", "OR", "OF1", "exact_match"],
            ),
        ),
    ),
)
