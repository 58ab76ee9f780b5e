_base_ = ["_base_/models/resnet50.py", "_base_/datasets/cifar10_bs16.py", "_base_/default_runtime.py"]

model = dict(
    backbone=dict(
        frozen_stages=2,
        init_cfg=dict(type="Pretrained", checkpoint="resnet50.pth", prefix="backbone"),
    ),
    head=dict(num_classes=10),
)
img_norm_cfg = dict(mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255], to_rgb=False)
train_pipeline = [
    dict(type="RandomCrop", size=32, padding=4),
    dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
    dict(type="Resize", size=224),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="ToTensor", keys=["gt_label"]),
    dict(type="Collect", keys=["img", "gt_label"]),
]
test_pipeline = [
    dict(type="Resize", size=224),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="Collect", keys=["img"]),
]
data = dict(
    samples_per_gpu=128,
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline),
)
optimizer = dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.0001)
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy="step", step=[15])
runner = dict(type="EpochBasedRunner", max_epochs=200)
log_config = dict(interval=100)
