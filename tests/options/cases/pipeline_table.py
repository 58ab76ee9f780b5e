"""Which steps of a pipeline each trial runs: the name, then one list of steps for each mode.

The pictures are arrays of 12 px, RGB; ``SMALL`` makes 8 px of them.
"""

from typing import Any

Step = dict[str, Any]

LOAD: Step = {"type": "LoadImageFromFile"}
SMALL: Step = {"type": "Resize", "size": 8}
# Fewer pixels than shades cannot be equalized.
LARGE: Step = {"type": "Resize", "size": 32}
# Those of ImageNet, which pictures are normalised by in any case, and others.
USUAL = {
    "type": "Normalize",
    "mean": [123.675, 116.28, 103.53],
    "std": [58.395, 57.12, 57.375],
    "to_rgb": False,
}
OTHERS = {"mean": [100.0, 110.0, 120.0], "std": [60.0, 50.0, 40.0]}
EIGVAL = [55.4625, 4.7940, 1.1475]
EIGVEC = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
FLIP: Step = {"type": "RandomFlip"}
DARKER: Step = {"type": "Brightness", "magnitude": 0.5, "prob": 1.0, "random_negative_prob": 1.0}
INVERT: Step = {"type": "Invert", "prob": 1.0}
FLOAT: Step = {"type": "ToDtype", "dtype": "float32", "scale": True}


def each(kind: str, *modes: dict[str, Any]) -> list[list[Step]]:
    """Return modes of one step, after ``SMALL``."""
    return [[SMALL, {"type": kind, **mode}] for mode in modes]


def operation(kind: str, key: str, value: float, ends: list[float], **more: Any) -> list[list[Step]]:
    """Return modes of an operation: a given magnitude, one drawn around a level, one drawn up to it."""
    drawn = {"magnitude_range": ends, "magnitude_level": 7, "total_level": 10}
    return each(
        kind,
        {key: value, "prob": 1.0, **more},
        {**drawn, "magnitude_std": 0.5, "prob": 0.9},
        {**drawn, "magnitude_std": "inf", "prob": 0.9, "random_negative_prob": 0.5},
    )


CROP: Step = {"type": "RandomResizedCrop", "size": 8}
SWINGS = [{"type": "Rotate", "angle": 20.0, "prob": 1.0}, {"type": "Posterize", "bits": 2, "prob": 1.0}]
IN_LEVELS = [
    {"type": "Rotate", "magnitude_range": [0, 30]},
    {"type": "Solarize", "magnitude_range": [256, 0]},
]
CONTAINERS: dict[str, list[list[Step]]] = {
    "Compose": each("Compose", {"transforms": [DARKER, FLIP]}),
    "RandomApply": each("RandomApply", {"transforms": [DARKER, INVERT], "p": 0.6}),
    "RandomChoice": each(
        "RandomChoice", {"transforms": [DARKER, INVERT]}, {"transforms": [DARKER, INVERT], "p": [0.2, 0.8]}
    ),
    "RandomOrder": each("RandomOrder", {"transforms": [DARKER, INVERT]}),
}
OWN_STEPS: dict[str, list[list[Step]]] = {
    "Albu": each("Albu", {"transforms": [{"type": "HorizontalFlip", "p": 0.5}]}),
    # Pictures come from files here.
    "LoadImageFromFile": [
        [LOAD, SMALL],
        [{**LOAD, "color_type": "grayscale"}, SMALL],
        [{**LOAD, "to_float32": True, "file_client_args": {"backend": "disk"}}, SMALL],
    ],
    "ColorJitter": each(
        "ColorJitter",
        {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
        {"brightness": 0.8, "backend": "cv2"},
    ),
    "RandomGrayscale": each("RandomGrayscale", {"gray_prob": 0.5}),
    "Lighting": each(
        "Lighting",
        {"eigval": EIGVAL, "eigvec": EIGVEC, "to_rgb": False},
        {"eigval": EIGVAL, "eigvec": EIGVEC, "alphastd": 0.5},
    ),
    "Normalize": each("Normalize", {**OTHERS, "to_rgb": False}, OTHERS),
    "ImageToTensor": each("ImageToTensor", {"keys": ["img"]}),
    "ToTensor": each("ToTensor", {"keys": ["gt_label"]}, {"keys": ["img", "gt_label"]}),
    "Collect": each("Collect", {"keys": ["img", "gt_label"]}, {"keys": ["img"], "meta_keys": ["img_shape"]}),
    **CONTAINERS,
    "ToPIL": each("ToPIL", {}),
    "ToNumpy": [[SMALL, {"type": "ToPIL"}, {"type": "ToNumpy"}, USUAL]],
    "Transpose": each(
        "Transpose", {"keys": ["img"], "order": [2, 0, 1]}, {"keys": ["img"], "order": [1, 0, 2]}
    ),
    "RandomErasing": each(
        "RandomErasing",
        {"erase_prob": 0.9},
        {"erase_prob": 0.9, "mode": "rand", "fill_std": [5, 6, 7], "min_area_ratio": 0.2},
        {"erase_prob": 0.9, "aspect_range": 0.5, "max_area_ratio": 0.6, "fill_color": [1, 2, 3]},
    ),
    "Resize": [
        [{"type": "Resize", "size": [8, 8], "interpolation": "nearest", "backend": "pillow"}],
        [{"type": "Resize", "size": [8, -1], "adaptive_side": "long", "interpolation": "area"}],
        [{"type": "Resize", "size": 8, "interpolation": "lanczos"}],
    ],
    "CenterCrop": [
        [{"type": "CenterCrop", "crop_size": 8}],
        [{"type": "CenterCrop", "crop_size": 8, "efficientnet_style": True, "interpolation": "bicubic"}],
        [{"type": "CenterCrop", "crop_size": 8, "efficientnet_style": True, "crop_padding": 4}],
    ],
    "RandomResizedCrop": [
        [CROP],
        [{**CROP, "scale": [0.3, 0.6], "ratio": [0.5, 2.0], "interpolation": "bicubic", "backend": "pillow"}],
        [{**CROP, "efficientnet_style": True, "min_covered": 0.3, "crop_padding": 4}],
    ],
    "RandomFlip": each("RandomFlip", {}, {"flip_prob": 0.9, "direction": "vertical"}),
    "Shear": operation("Shear", "magnitude", 0.3, [0, 0.5], direction="vertical", interpolation="nearest"),
    "Translate": operation("Translate", "magnitude", 0.3, [0, 0.5], direction="vertical", pad_val=[1, 2, 3]),
    "Rotate": operation("Rotate", "angle", 20.0, [0, 40], center=[1.0, 2.0], scale=1.2),
    "ColorTransform": operation("ColorTransform", "magnitude", 0.6, [0, 0.9]),
    "Contrast": operation("Contrast", "magnitude", 0.6, [0, 0.9]),
    "Brightness": operation("Brightness", "magnitude", 0.6, [0, 0.9]),
    "Sharpness": operation("Sharpness", "magnitude", 0.9, [0, 0.9]),
    "Posterize": operation("Posterize", "bits", 2, [4, 0]),
    "Solarize": operation("Solarize", "thr", 100, [256, 0]),
    "SolarizeAdd": operation("SolarizeAdd", "magnitude", 60, [0, 110], thr=200),
    "Invert": each("Invert", {"prob": 1.0}, {"prob": 0.5}),
    "AutoContrast": each("AutoContrast", {"prob": 1.0}),
    "Equalize": [[LARGE, {"type": "Equalize", "prob": 1.0}, SMALL]],
    "Cutout": each("Cutout", {"shape": 3, "prob": 1.0}, {"shape": [2, 4], "pad_val": [1, 2, 3], "prob": 0.8}),
    "Pad": [
        [{"type": "CenterCrop", "crop_size": 6}, {"type": "Pad", "size": 8}],
        [
            {"type": "CenterCrop", "crop_size": [8, 6]},
            {"type": "Pad", "pad_to_square": True, "pad_val": [1, 2, 3]},
        ],
        [{"type": "CenterCrop", "crop_size": 6}, {"type": "Pad", "size": 8, "padding_mode": "reflect"}],
    ],
    "RandomCrop": [
        [{"type": "RandomCrop", "size": 8}],
        [{"type": "RandomCrop", "size": 8, "padding": 2, "padding_mode": "reflect"}],
        [{"type": "RandomCrop", "size": 14, "pad_if_needed": True, "pad_val": [1, 2, 3]}, SMALL],
        [{"type": "RandomCrop", "size": 8, "padding": [1, 2], "padding_mode": "edge"}],
    ],
    "LetterBox": [
        [{"type": "CenterCrop", "crop_size": [6, 12]}, {"type": "LetterBox", "size": 8}],
        [{"type": "LetterBox", "size": [8, 10], "pad_val": 0, "interpolation": "bicubic"}, SMALL],
    ],
    "AutoAugment": each(
        "AutoAugment",
        {"policies": [SWINGS, [{"type": "Equalize", "prob": 1.0}]]},
        *({"policies": name} for name in ("imagenet", "cifar10", "svhn")),
        {"policies": [SWINGS], "hparams": {"pad_val": [1, 2, 3], "interpolation": "bilinear"}},
    ),
    "RandAugment": each(
        "RandAugment",
        {"magnitude_std": 0.5},
        {"policies": IN_LEVELS, "num_policies": 3, "magnitude_level": 6, "total_level": 12},
        {"magnitude_std": "inf", "hparams": {"pad_val": 0, "interpolation": "bicubic"}},
    ),
}
AFFINE = {
    "degrees": 20,
    "translate": [0.1, 0.1],
    "scale": [0.8, 1.2],
    "shear": 10,
    "interpolation": "bilinear",
}
WHITENING = {
    "transformation_matrix": [[2.0 * (row == column) for column in range(192)] for row in range(192)],
    "mean_vector": [0.5] * 192,
}
# torchvision's own, by names that none of ours has.
THEIR_STEPS: dict[str, list[list[Step]]] = {
    "AugMix": each("AugMix", {"severity": 5, "mixture_width": 2}),
    "ConvertImageDtype": each("ConvertImageDtype", {"dtype": "float32"}),
    "ElasticTransform": each("ElasticTransform", {"alpha": 5.0, "sigma": 1.0}),
    "GaussianBlur": each("GaussianBlur", {"kernel_size": 3, "sigma": [0.5, 2.0]}),
    "GaussianNoise": [[SMALL, FLOAT, {"type": "GaussianNoise", "sigma": 0.2}]],
    "Grayscale": each("Grayscale", {"num_output_channels": 3}),
    "Identity": each("Identity", {}),
    "JPEG": each("JPEG", {"quality": [20, 60]}),
    "LinearTransformation": [[SMALL, FLOAT, {"type": "LinearTransformation", **WHITENING}]],
    "PILToTensor": each("PILToTensor", {}),
    "RGB": each("RGB", {}),
    "RandomAdjustSharpness": each("RandomAdjustSharpness", {"sharpness_factor": 3, "p": 0.7}),
    "RandomAffine": each("RandomAffine", AFFINE),
    "RandomAutocontrast": each("RandomAutocontrast", {"p": 0.7}),
    "RandomChannelPermutation": each("RandomChannelPermutation", {}),
    "RandomEqualize": [[LARGE, {"type": "RandomEqualize", "p": 0.7}, SMALL]],
    "RandomHorizontalFlip": each("RandomHorizontalFlip", {"p": 0.7}),
    "RandomInvert": each("RandomInvert", {"p": 0.7}),
    "RandomPerspective": each("RandomPerspective", {"distortion_scale": 0.6, "p": 0.9}),
    "RandomPhotometricDistort": each("RandomPhotometricDistort", {"p": 0.7}),
    "RandomPosterize": each("RandomPosterize", {"bits": 2, "p": 0.7}),
    "RandomResize": [[{"type": "RandomResize", "min_size": 6, "max_size": 12}, SMALL]],
    "RandomRotation": each("RandomRotation", {"degrees": 30, "interpolation": "bilinear", "fill": 9}),
    "RandomShortestSize": [[{"type": "RandomShortestSize", "min_size": [6, 10], "max_size": 16}, SMALL]],
    "RandomSolarize": each("RandomSolarize", {"threshold": 100, "p": 0.7}),
    "RandomVerticalFlip": each("RandomVerticalFlip", {}),
    "RandomZoomOut": [[{"type": "RandomZoomOut", "side_range": [1.0, 2.0], "p": 0.8}, SMALL]],
    "ScaleJitter": [[{"type": "ScaleJitter", "target_size": [8, 8]}, SMALL]],
    "ToDtype": each("ToDtype", {"dtype": "float32", "scale": True}),
    "ToImage": each("ToImage", {}),
    "ToPILImage": each("ToPILImage", {}),
    "ToPureTensor": each("ToPureTensor", {}),
    "TrivialAugmentWide": each("TrivialAugmentWide", {"interpolation": "bilinear"}),
}
NORMAL = {"mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1]}
# torchvision's own, where ours has the bare name.
HIDDEN_STEPS: dict[str, list[list[Step]]] = {
    "AutoAugment": each("torchvision/AutoAugment", {"policy": "cifar10"}),
    "CenterCrop": [[{"type": "torchvision/CenterCrop", "size": 8}]],
    "ColorJitter": each("torchvision/ColorJitter", {"brightness": 0.4, "hue": 0.1}),
    "Normalize": [[SMALL, FLOAT, {"type": "torchvision/Normalize", **NORMAL}]],
    "Pad": [[{"type": "CenterCrop", "crop_size": 6}, {"type": "torchvision/Pad", "padding": 1}]],
    "RandAugment": each("torchvision/RandAugment", {"num_ops": 2, "magnitude": 9}),
    "RandomCrop": [[{"type": "torchvision/RandomCrop", "size": 8, "padding": 2}]],
    "RandomErasing": [[SMALL, FLOAT, {"type": "torchvision/RandomErasing", "p": 0.9, "value": 0}]],
    "RandomGrayscale": each("torchvision/RandomGrayscale", {"p": 0.5}),
    "RandomResizedCrop": [[{"type": "torchvision/RandomResizedCrop", "size": [8, 8], "antialias": True}]],
    "Resize": [[{"type": "torchvision/Resize", "size": [8, 8], "interpolation": "nearest"}]],
    "ToTensor": each("torchvision/ToTensor", {}),
}
# Modes that leave every pixel as it is, for certain: by name and number.
NEUTRAL = {
    ("LoadImageFromFile", 0),
    ("ImageToTensor", 0),
    ("ToTensor", 0),
    ("ToTensor", 1),
    ("Collect", 0),
    ("Collect", 1),
    ("ToPIL", 0),
    ("ToNumpy", 0),
    ("Transpose", 0),
    ("Identity", 0),
    ("PILToTensor", 0),
    ("RGB", 0),
    ("ToImage", 0),
    ("ToPILImage", 0),
    ("ToPureTensor", 0),
}
