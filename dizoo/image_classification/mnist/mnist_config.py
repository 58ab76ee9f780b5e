"""MNIST: a narrow ResNet, slight rotations and shifts, the average of the last weights.

5,000 pictures of the training part are held out for validation; the test part is for ``ding-cls eval`` alone.
"""

_base_ = "base_config.py"

_grey = dict(type="Normalize", mean=[33.3, 33.3, 33.3], std=[78.6, 78.6, 78.6], to_rgb=False)
_held_out = dict(fractions=[55 / 60, 5 / 60], seed=0)
_affine = dict(
    type="RandomAffine",
    degrees=10,
    translate=[0.08, 0.08],
    scale=[0.9, 1.1],
    shear=5,
    interpolation="bilinear",
)

main_config = dict(
    exp_name="runs/mnist",
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
            neck=dict(type="GlobalAveragePooling"),
            head=dict(
                type="LinearClsHead",
                in_channels=64,
                loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1),
            ),
        ),
        learn=dict(train_epoch=16, batch_size=128, learning_rate=0.1, warmup_lr=0.01),
        collect=dict(
            learn_data_path="data/mnist",
            eval_data_path="data/mnist",
            train=dict(
                type="SplitDataset",
                part=0,
                **_held_out,
                dataset=dict(type="MNIST", pipeline=[_affine, _grey]),
            ),
            val=dict(
                type="SplitDataset",
                part=1,
                **_held_out,
                dataset=dict(type="MNIST", pipeline=[_grey]),
            ),
            test=dict(type="MNIST", pipeline=[_grey], test_mode=True),
        ),
    ),
)
