"""Parts that a reader of mmclassification's tutorials writes; of its code only the imports are others."""

import numpy as np
import torch
import torch.nn as nn
from torch.optim import Optimizer

from ding_cls.data import DATASETS, PIPELINES, BaseDataset
from ding_cls.models import (
    BACKBONES,
    HEADS,
    LOSSES,
    NECKS,
    ClsHead,
    build_conv_layer,
    build_norm_layer,
    normal_init,
    weighted_loss,
)
from ding_cls.models import ResNetBackbone as ResNet
from ding_cls.optim import OPTIMIZER_BUILDERS, OPTIMIZERS
from ding_cls.worker import HOOKS, Hook


@BACKBONES.register_module()
class SmallResNet(ResNet):
    def __init__(self, depth, deep_stem=False, **kwargs):
        super(SmallResNet, self).__init__(depth, deep_stem=deep_stem, **kwargs)
        assert not self.deep_stem

    def _make_stem_layer(self, in_channels, base_channels):
        self.conv1 = build_conv_layer(
            self.conv_cfg, in_channels, base_channels, kernel_size=3, stride=1, padding=1, bias=False
        )
        self.norm1_name, norm1 = build_norm_layer(self.norm_cfg, base_channels, postfix=1)
        self.add_module(self.norm1_name, norm1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.norm1(self.conv1(x)))
        outs = []
        for number, layer_name in enumerate(self.res_layers):
            x = getattr(self, layer_name)(x)
            if number in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def init_weights(self):
        super(SmallResNet, self).init_weights()

    def train(self, mode=True):
        super(SmallResNet, self).train(mode)
        self._freeze_stages()


@NECKS.register_module()
class MeanNeck(nn.Module):
    def __init__(self):
        super(MeanNeck, self).__init__()
        self.gap = nn.AdaptiveAvgPool2d((1, 1))

    def forward(self, inputs):
        return tuple(self.gap(each).view(each.size(0), -1) for each in inputs)


@HEADS.register_module()
class OneLayerHead(ClsHead):
    def __init__(
        self, num_classes, in_channels, loss=dict(type="CrossEntropyLoss", loss_weight=1.0), topk=(1,)
    ):
        super(OneLayerHead, self).__init__(loss=loss, topk=topk)
        self.in_channels = in_channels
        self.num_classes = num_classes
        self._init_layers()

    def _init_layers(self):
        self.fc = nn.Linear(self.in_channels, self.num_classes)

    def init_weights(self):
        normal_init(self.fc, mean=0, std=0.01, bias=0)

    def forward_train(self, x, gt_label):
        cls_score = self.fc(self.pre_logits(x))
        return self.loss(cls_score, gt_label)


@HEADS.register_module()
class TestedHead(OneLayerHead):
    def simple_test(self, x, softmax=True, post_process=True):
        cls_score = self.fc(self.pre_logits(x))
        pred = nn.functional.softmax(cls_score, dim=1) if softmax else cls_score
        return self.post_process(pred) if post_process else pred


@weighted_loss
def absolute(pred, target):
    return torch.abs(pred - target)


@LOSSES.register_module()
class AbsoluteLoss(nn.Module):
    def __init__(self, reduction="mean", loss_weight=1.0):
        super(AbsoluteLoss, self).__init__()
        self.reduction = reduction
        self.loss_weight = loss_weight

    def forward(self, pred, target, weight=None, avg_factor=None, reduction_override=None):
        reduction = reduction_override if reduction_override else self.reduction
        wanted = nn.functional.one_hot(target, pred.size(1)).float()
        return self.loss_weight * absolute(pred, wanted, weight, reduction=reduction, avg_factor=avg_factor)


@DATASETS.register_module()
class Filelist(BaseDataset):
    CLASSES = ["dark", "light"]

    def load_annotations(self):
        assert isinstance(self.ann_file, str)
        data_infos = []
        with open(self.ann_file) as file:
            for filename, gt_label in [line.strip().split(" ") for line in file.readlines()]:
                info = {"img_prefix": self.data_prefix}
                info["img_info"] = {"filename": filename}
                info["gt_label"] = np.array(gt_label, dtype=np.int64)
                data_infos.append(info)
        return data_infos

    def evaluate(self, results, metric="accuracy", metric_options=None, indices=None, logger=None):
        found = super(Filelist, self).evaluate(results, metric, metric_options, indices, logger)
        found["num_seen"] = len(np.vstack(results))
        return found


@PIPELINES.register_module()
class BlackMiddle:
    def __call__(self, results):
        assert results["scale_factor"].shape == (4,) and len(results["ori_shape"]) == 3
        assert results["img_info"]["filename"] and results["gt_label"] in (0, 1)
        for key in results.get("img_fields", ["img"]):
            height, width = results["img_shape"][:2]
            results[key][height // 2, width // 2] = 0
        return results


@HOOKS.register_module()
class NormHook(Hook):
    def __init__(self, a, b):
        self.a = a
        self.b = b

    def before_run(self, runner):
        runner.logger.info(f"hook of one's own: {self.a} {self.b}, {runner.max_epochs} epochs")

    def after_epoch(self, runner):
        runner.logger.info(f"epoch {runner.epoch} ends at {runner.current_lr()[0]:.4f}")

    def before_iter(self, runner):
        pass

    def after_iter(self, runner):
        if self.every_n_iters(runner, 2):
            assert torch.isfinite(runner.outputs["loss"])
            runner.log_buffer.output["norm"] = runner.model.head.fc.weight.norm()


@OPTIMIZERS.register_module()
class PlainSteps(Optimizer):
    def __init__(self, params, lr=0.1, a=1, b=2):
        super(PlainSteps, self).__init__(params, dict(lr=lr, a=a, b=b))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for each in group["params"]:
                if each.grad is not None:
                    each.add_(each.grad, alpha=-group["lr"])


@OPTIMIZER_BUILDERS.register_module()
class HeadFirst:
    def __init__(self, optimizer_cfg, paramwise_cfg=None):
        self.optimizer_cfg = optimizer_cfg

    def __call__(self, model):
        head = list(model.head.parameters())
        rest = [each for name, each in model.named_parameters() if not name.startswith("head.")]
        return OPTIMIZERS.build(self.optimizer_cfg, dict(params=[dict(params=head), dict(params=rest)]))
