"""``ding-cls env``."""

import argparse
import os
from importlib import metadata

from ding_cls import __version__
from ding_cls.cli.arguments import Verbs, add_debug

# What pyproject.toml's extras install, by the extra's name; either of two distributions will do.
EXTRAS = {
    "timm": ("timm",),
    "optim": ("pytorch_optimizer",),
    "albu": ("albumentations",),
    "torchmetrics": ("torchmetrics",),
    "mlflow": ("mlflow-skinny", "mlflow"),
    "wandb": ("wandb",),
    "report": ("matplotlib",),
    "cam": ("grad-cam",),
    "doctor": ("imagehash",),
    "parquet": ("pyarrow",),
    "export": ("onnx",),
    "serve": ("starlette",),
}


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    environment = verbs.add_parser("env", help="versions and devices, for a bug report")
    environment.set_defaults(verb=_environment)
    add_debug(environment)


def _environment(arguments: argparse.Namespace) -> None:
    import platform

    import numpy
    import PIL

    from ding_cls.common.columns import in_columns

    versions, devices = _torch()
    values = {
        "ding_cls": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **versions,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "CPU cores": os.cpu_count(),
        **devices,
        **{names[0]: _version(extra, names) for extra, names in EXTRAS.items()},
    }
    print(in_columns([(f"{name}:", str(value)) for name, value in values.items()], gap=1))


def _torch() -> tuple[dict[str, object], dict[str, object]]:
    """Return torch's versions and devices; of a place without it what predicts there."""
    versions: dict[str, object] = {}
    try:
        import torch
        import torchvision
    except ImportError as error:
        versions["torch"] = f"not here ({error}): ONNX files predict without"
        return versions, {"onnxruntime": _version("export", ("onnxruntime",))}
    versions |= {"torch": torch.__version__, "torchvision": torchvision.__version__}
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    cuda = f"{torch.version.cuda}: {', '.join(names)}" if names else "no device"
    return versions, {"torch threads": torch.get_num_threads(), "CUDA": cuda}


def _version(extra: str, distributions: tuple[str, ...]) -> str:
    """Return the version of the first distribution that is installed, or how to get it."""
    for each in distributions:
        try:
            return metadata.version(each)
        except metadata.PackageNotFoundError:
            continue
    return f"not installed: pip install 'ding_cls[{extra}]'"
