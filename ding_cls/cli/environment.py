"""``ding-cls env``."""

import argparse
import os

from ding_cls import __version__
from ding_cls.cli.arguments import Verbs, add_debug


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    environment = verbs.add_parser("env", help="versions and devices, for a bug report")
    environment.set_defaults(verb=_environment)
    add_debug(environment)


def _environment(arguments: argparse.Namespace) -> None:
    import platform

    import numpy
    import PIL
    import torch
    import torchvision

    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    for name, value in (
        ("ding_cls", __version__),
        ("python", platform.python_version()),
        ("platform", platform.platform()),
        ("torch", torch.__version__),
        ("torchvision", torchvision.__version__),
        ("numpy", numpy.__version__),
        ("pillow", PIL.__version__),
        ("CPU cores", os.cpu_count()),
        ("torch threads", torch.get_num_threads()),
        ("CUDA", f"{torch.version.cuda}: {', '.join(devices)}" if devices else "no device"),
    ):
        print(f"{name + ':':15}{value}")
