"""The run of mm/resnet/resnet18_8xb32_in1k.py in the native spelling."""

normalize = dict(type="Normalize", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
eval_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", size=(256, -1)),
    dict(type="CenterCrop", crop_size=224),
    normalize,
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="Collect", keys=["img"]),
]

main_config = dict(
    policy=dict(
        model=dict(
            type="ImageClassifier",
            backbone=dict(type="ResNet", depth=18, num_stages=4, out_indices=(3,), style="pytorch"),
            neck=dict(type="GlobalAveragePooling"),
            head=dict(
                type="LinearClsHead",
                num_classes=1000,
                in_channels=512,
                loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
                topk=(1, 5),
                init_cfg=dict(type="Normal", layer="Linear", std=0.01),
            ),
        ),
        learn=dict(
            train_epoch=100,
            batch_size=32,
            learning_rate=0.1,
            lr_schedule=dict(type="Step", step=[30, 60, 90]),
            momentum=0.9,
            weight_decay=1e-4,
            learner=dict(
                log_show_freq=100,
                keep_checkpoints=0,
                hook=dict(save_ckpt_after_iter=False, save_ckpt_after_epoch=1),
            ),
        ),
        collect=dict(
            train=dict(
                type="ImageNet",
                data_prefix="data/imagenet/train",
                pipeline=[
                    dict(type="LoadImageFromFile"),
                    dict(type="RandomResizedCrop", size=224),
                    dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
                    normalize,
                    dict(type="ImageToTensor", keys=["img"]),
                    dict(type="ToTensor", keys=["gt_label"]),
                    dict(type="Collect", keys=["img", "gt_label"]),
                ],
            ),
            eval_data_path="data/imagenet/val",
            val=dict(type="ImageNet", ann_file="data/imagenet/meta/val.txt", pipeline=eval_pipeline),
            test=dict(
                type="ImageNet",
                data_prefix="data/imagenet/val",
                ann_file="data/imagenet/meta/val.txt",
                pipeline=eval_pipeline,
            ),
        ),
        eval=dict(batch_size=32, evaluator=dict(eval_freq=1, eval_interval=1)),
    ),
)
