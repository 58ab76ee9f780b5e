"""Every option of pictures by its name: pipelines and batch augmentations, for training and for resuming."""

from typing import Any

LOAD = {"type": "LoadImageFromFile"}
NORMALIZE = {"type": "Normalize", "mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
RESIZE = {"type": "Resize", "size": 8}
EIGVAL = [55.4625, 4.7940, 1.1475]
EIGVEC = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
SWINGS = [{"type": "Rotate", "angle": 20.0, "prob": 0.9}, {"type": "Posterize", "bits": 4}]

# What stands between LOAD and NORMALIZE; the pictures are 12 px, and 8 px go on.
STEPS: dict[str, list[dict[str, Any]]] = {
    "AugMix": [RESIZE, {"type": "AugMix"}],
    "AutoAugment": [RESIZE, {"type": "AutoAugment", "policies": [SWINGS, [{"type": "Equalize"}]]}],
    "AutoAugment by name": [RESIZE, {"type": "AutoAugment", "policies": "imagenet"}],
    "AutoContrast": [RESIZE, {"type": "AutoContrast"}],
    "Brightness": [RESIZE, {"type": "Brightness", "magnitude": 0.4}],
    "CenterCrop": [{"type": "CenterCrop", "crop_size": 8}],
    "CenterCrop(efficientnet_style)": [
        {"type": "CenterCrop", "crop_size": 8, "efficientnet_style": True, "interpolation": "bicubic"}
    ],
    "ColorJitter": [RESIZE, {"type": "ColorJitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}],
    "ColorTransform": [RESIZE, {"type": "ColorTransform", "magnitude": 0.4}],
    "Contrast": [RESIZE, {"type": "Contrast", "magnitude": 0.4}],
    "Cutout": [RESIZE, {"type": "Cutout", "shape": 3}],
    "Equalize": [RESIZE, {"type": "Equalize"}],
    "Invert": [RESIZE, {"type": "Invert"}],
    "LetterBox": [{"type": "LetterBox", "size": 8}],
    "Lighting": [RESIZE, {"type": "Lighting", "eigval": EIGVAL, "eigvec": EIGVEC, "to_rgb": False}],
    "Pad": [{"type": "CenterCrop", "crop_size": 6}, {"type": "Pad", "size": 8}],
    "Posterize": [RESIZE, {"type": "Posterize", "bits": 4}],
    "RandAugment": [RESIZE, {"type": "RandAugment", "magnitude_std": 0.5}],
    "RandomCrop": [{"type": "RandomCrop", "size": 8, "padding": 2, "padding_mode": "reflect"}],
    "RandomErasing": [RESIZE, {"type": "RandomErasing", "mode": "rand", "fill_std": [5, 6, 7]}],
    "RandomFlip(vertical)": [RESIZE, {"type": "RandomFlip", "direction": "vertical"}],
    "RandomGrayscale": [RESIZE, {"type": "RandomGrayscale", "gray_prob": 0.5}],
    "RandomResizedCrop": [{"type": "RandomResizedCrop", "size": 8}],
    "RandomResizedCrop(efficientnet_style)": [
        {"type": "RandomResizedCrop", "size": 8, "efficientnet_style": True}
    ],
    "RandomRotation": [RESIZE, {"type": "RandomRotation", "degrees": 15}],
    "Rotate": [RESIZE, {"type": "Rotate", "angle": 20.0}],
    "Sharpness": [RESIZE, {"type": "Sharpness", "magnitude": 0.9}],
    "Shear": [RESIZE, {"type": "Shear", "magnitude": 0.3}],
    "Solarize": [RESIZE, {"type": "Solarize", "thr": 100}],
    "SolarizeAdd": [RESIZE, {"type": "SolarizeAdd", "magnitude": 40}],
    "ToPIL and ToNumpy": [RESIZE, {"type": "ToPIL"}, {"type": "ToNumpy"}],
    "Translate": [RESIZE, {"type": "Translate", "magnitude": 0.2}],
    "Transpose": [RESIZE, {"type": "Transpose", "keys": ["img"], "order": [2, 0, 1]}],
    "TrivialAugmentWide": [RESIZE, {"type": "TrivialAugmentWide"}],
}
MIXERS: dict[str, Any] = {
    "Mixup": {"type": "Mixup", "alpha": 0.8},
    "CutMix": [{"type": "CutMix", "alpha": 1.0}],
    "CutMix(cutmix_minmax)": [{"type": "CutMix", "cutmix_minmax": [0.2, 0.6]}],
    "ResizeMix": [{"type": "ResizeMix", "interpolation": "bicubic"}],
    "Identity": [{"type": "Identity"}],
    "several": [
        {"type": "BatchMixup", "alpha": 0.8, "num_classes": 4, "prob": 0.4},
        {"type": "BatchCutMix", "alpha": 1.0, "num_classes": 4, "prob": 0.3, "until_epoch": -1},
    ],
}


def training_pipeline(name: str) -> str:
    """Return the setting that trains on pictures after these steps."""
    section = {"type": "CustomDataset", "pipeline": [LOAD, *STEPS[name], NORMALIZE]}
    return f"policy.collect.train={section!r}"


def batch_augments(name: str) -> str:
    """Return the setting that mixes batches so."""
    return f"policy.learn.batch_augments={MIXERS[name]!r}"
