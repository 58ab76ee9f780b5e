"""Several labels a picture: which digits are there? The pictures come from ``examples/digit_scenes.py``."""

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
        learn=dict(
            train_epoch=8,
            batch_size=64,
            learning_rate=0.05,
            lr_schedule="cosine",
            warmup_lr=0.005,
            warmup_epoch=1,
            weight_decay=5e-4,
            nesterov=True,
            ema=dict(decay=0.998),
            channels_last=True,
            learner=dict(
                log_show_freq=100,
                dataloader=dict(num_workers=1),
                hook=dict(save_ckpt_after_iter=False, save_ckpt_after_epoch=1),
            ),
        ),
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
            batch_size=500,
            metric=dict(
                type="ClassificationMetrics",
                metrics=["mAP", "CP", "CR", "CF1", "OP", "OR", "OF1", "exact_match"],
            ),
            evaluator=dict(eval_interval=2),
        ),
    ),
)
