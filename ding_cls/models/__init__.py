"""Networks: our ResNets, any torchvision classifier by name, networks of parts, losses, weights, wrappers.

A model maps images to logits; one of parts also computes the losses that its head brings. This room must not
know data, optimizers or configs: what it builds by name it gets as plain dicts.
"""

from ding_cls.models.backbones.lenet import LeNet5
from ding_cls.models.backbones.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from ding_cls.models.backbones.resnet_layer import ResLayer
from ding_cls.models.backbones.resnet_stages import ResNet as ResNetBackbone
from ding_cls.models.build import build_model, model_names, new_network
from ding_cls.models.classifier import ImageClassifier
from ding_cls.models.heads.linear import (
    ClsHead,
    LinearClsHead,
    StackedLinearClsHead,
    VisionTransformerClsHead,
)
from ding_cls.models.heads.margin import ArcFaceClsHead, CosineClsHead
from ding_cls.models.heads.multi_label import CSRAClsHead, MultiLabelClsHead, MultiLabelLinearClsHead
from ding_cls.models.heads.multi_task import LogSoftmaxHead, MultiTaskHead
from ding_cls.models.heads.openmmlab_heads import DeiTClsHead, EfficientFormerClsHead
from ding_cls.models.layers.openmmlab import (
    ConvModule,
    bias_init_with_prob,
    build_activation_layer,
    build_conv_layer,
    build_norm_layer,
    constant_init,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from ding_cls.models.layers.ops import classifier_layer, classifier_names, num_channels
from ding_cls.models.losses.cross_entropy import CrossEntropyLoss, LabelSmoothLoss
from ding_cls.models.losses.focal import AsymmetricLoss, FocalLoss, SoftmaxFocalLoss
from ding_cls.models.losses.reduction import reduce_loss, weight_reduce_loss, weighted_loss
from ding_cls.models.losses.seesaw import SeesawLoss
from ding_cls.models.losses.torch import described_loss
from ding_cls.models.necks import GeneralizedMeanPooling, GlobalAveragePooling, GridAveragePooling
from ding_cls.models.openmmlab import BaseBackbone, BaseModule, ModuleList, Sequential
from ding_cls.models.openmmlab_classifier import BaseClassifier
from ding_cls.models.openmmlab_necks import HRFuseScales
from ding_cls.models.outputs import Outputs
from ding_cls.models.registry import (
    BACKBONES,
    CLASSIFIERS,
    HEADS,
    LOSSES,
    MODELS,
    NECKS,
    build_backbone,
    build_classifier,
    build_head,
    build_loss,
    build_neck,
)
from ding_cls.models.weights.files import (
    AVERAGED,
    TRAINING,
    evaluated_part,
    fetch_weights,
    read_weights,
    weights_in,
)
from ding_cls.models.weights.initial import load_initial_weights
from ding_cls.models.weights.loading import LoadReport, load_exactly, load_pretrained
from ding_cls.models.wrap import BaseModelWrapper, model_wrap, unwrap

__all__ = [
    "AVERAGED",
    "TRAINING",
    "evaluated_part",
    "ArcFaceClsHead",
    "CosineClsHead",
    "CSRAClsHead",
    "MultiLabelClsHead",
    "MultiLabelLinearClsHead",
    "LogSoftmaxHead",
    "MultiTaskHead",
    "LeNet5",
    "DeiTClsHead",
    "EfficientFormerClsHead",
    "HRFuseScales",
    "GeneralizedMeanPooling",
    "StackedLinearClsHead",
    "VisionTransformerClsHead",
    "BACKBONES",
    "CLASSIFIERS",
    "HEADS",
    "LOSSES",
    "MODELS",
    "NECKS",
    "AsymmetricLoss",
    "BaseBackbone",
    "BaseClassifier",
    "BaseModule",
    "ConvModule",
    "ModuleList",
    "Sequential",
    "bias_init_with_prob",
    "build_activation_layer",
    "build_conv_layer",
    "build_norm_layer",
    "constant_init",
    "kaiming_init",
    "normal_init",
    "trunc_normal_init",
    "uniform_init",
    "xavier_init",
    "BaseModelWrapper",
    "ClsHead",
    "CrossEntropyLoss",
    "FocalLoss",
    "GlobalAveragePooling",
    "GridAveragePooling",
    "ImageClassifier",
    "LabelSmoothLoss",
    "LinearClsHead",
    "LoadReport",
    "Outputs",
    "ResNet",
    "BasicBlock",
    "Bottleneck",
    "ResLayer",
    "ResNetBackbone",
    "SeesawLoss",
    "SoftmaxFocalLoss",
    "build_backbone",
    "build_classifier",
    "build_head",
    "build_loss",
    "build_model",
    "build_neck",
    "classifier_layer",
    "classifier_names",
    "described_loss",
    "fetch_weights",
    "load_exactly",
    "load_initial_weights",
    "load_pretrained",
    "model_names",
    "model_wrap",
    "new_network",
    "num_channels",
    "read_weights",
    "reduce_loss",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "unwrap",
    "weight_reduce_loss",
    "weighted_loss",
    "weights_in",
]
