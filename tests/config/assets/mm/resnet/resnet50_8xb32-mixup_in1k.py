# Mixup, soft targets, warm-up and a cosine on top of the plain recipe.
_base_ = [
    '../_base_/models/resnet50.py', '../_base_/datasets/imagenet_bs32.py',
    '../_base_/schedules/imagenet_bs256.py', '../_base_/default_runtime.py'
]

num_classes = {{_base_.model.head.num_classes}}
model = dict(
    head=dict(
        _delete_=True,
        type='LinearClsHead',
        num_classes=num_classes,
        in_channels={{ _base_.model.head.in_channels }},
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0, use_soft=True),
        topk=(1, 5)),
    train_cfg=dict(
        augments=dict(
            type='BatchMixup', alpha=0.2, num_classes=num_classes, prob=1.)))

optimizer = dict(
    lr=0.1,
    nesterov=True,
    paramwise_cfg=dict(bias_decay_mult=0., norm_decay_mult=0.))
lr_config = dict(
    _delete_=True,
    policy='CosineAnnealing',
    min_lr=0,
    warmup='linear',
    warmup_iters=5,
    warmup_ratio=0.25,
    warmup_by_epoch=True)
runner = dict(max_epochs=300)
fp16 = dict(loss_scale=512.)
work_dir = './work_dirs/{{ fileBasenameNoExtension }}'
