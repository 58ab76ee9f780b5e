_base_ = ["_base_/default_runtime.py"]

custom_imports = dict(imports=["mine.parts"], allow_failed_imports=False)
model = dict(
    type="ImageClassifier",
    backbone=dict(type="SmallResNet", depth=18, num_stages=4, out_indices=(3,), style="pytorch"),
    neck=dict(type="MeanNeck"),
    head=dict(
        type="OneLayerHead",
        num_classes=2,
        in_channels=512,
        loss=dict(type="CrossEntropyLoss", loss_weight=1.0),
        topk=(1,),
    ),
)
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", size=(16, -1)),
    dict(type="RandomCrop", size=16),
    dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
    dict(type="BlackMiddle"),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="ToTensor", keys=["gt_label"]),
    dict(type="Collect", keys=["img", "gt_label"]),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", size=16),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="Collect", keys=["img"]),
]
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=0,
    train=dict(type="Filelist", data_prefix="images", ann_file="train.txt", pipeline=train_pipeline),
    val=dict(type="Filelist", data_prefix="images", ann_file="val.txt", pipeline=test_pipeline),
    test=dict(type="Filelist", data_prefix="images", ann_file="val.txt", pipeline=test_pipeline),
)
evaluation = dict(interval=1, save_best="auto", metric="accuracy", metric_options={"topk": (1,)})
optimizer = dict(type="PlainSteps", lr=0.05, a=1, b=3, constructor="HeadFirst")
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy="step", step=[3])
runner = dict(type="EpochBasedRunner", max_epochs=4)
log_config = dict(interval=1)
custom_hooks = [dict(type="NormHook", a=1, b="two", priority="VERY_HIGH")]
