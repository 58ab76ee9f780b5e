# Fine-tuning: another data set on the CIFAR recipe, a frozen stem, a lower rate, pipelines built from the base's.
_base_ = './resnet18_8xb16_cifar10.py'

import os.path as osp

_checkpoint = osp.join('checkpoints', 'resnet50_8xb32_in1k.pth')
_steps = [round(_base_.runner.max_epochs * share) for share in (0.05, 0.075)]
img_norm_cfg = dict(mean=[33.46], std=[78.87], to_rgb=True)
train_pipeline = [
    dict(type='Resize', size=32),
    *_base_.train_pipeline[:1],
    dict(type='Normalize', **img_norm_cfg),
] + _base_.train_pipeline[-3:]
test_pipeline = [
    dict(type='Resize', size=32),
    dict(type='Normalize', **img_norm_cfg),
] + _base_.test_pipeline[-2:]

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(3, ),
        style='pytorch',
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint=_checkpoint, prefix='backbone')),
    head=dict(in_channels=2048, topk=(1, )))

data = dict(
    samples_per_gpu=32,
    **{
        phase: dict(
            type='MNIST',
            data_prefix='data/mnist',
            pipeline=train_pipeline if phase == 'train' else test_pipeline)
        for phase in ('train', 'val', 'test')
    })

optimizer = dict(lr=0.01, weight_decay=5e-4)
optimizer_config = dict(
    _delete_=True, grad_clip=dict(max_norm=35, norm_type=2))
lr_config = dict(step=_steps)
runner = dict(max_epochs=20)
evaluation = dict(metric_options={'topk': (1, )}, save_best='accuracy_top-1')
log_config = dict(interval=50)
