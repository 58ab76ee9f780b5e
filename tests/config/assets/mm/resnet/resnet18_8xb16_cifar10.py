_base_ = [
    '../_base_/models/resnet18.py', '../_base_/datasets/cifar10_bs16.py',
    '../_base_/schedules/cifar10_bs128.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(type='ResNet_CIFAR', out_indices=(3, )),
    head=dict(num_classes=10))
