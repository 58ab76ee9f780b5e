"""``ding-cls export``."""

import argparse
import os
from typing import Any

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_evaluated_images
from ding_cls.common.process import launched_world_size
from ding_cls.errors import ConfigError

_ENDINGS = {".onnx": "onnx", ".pt2": "torch_export", ".safetensors": "safetensors"}


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    export = verbs.add_parser(
        "export",
        help="a checkpoint as an ONNX file, torch's program, or weights alone; compared before it is written",
        description="Write the network of a checkpoint as a file for other programs. The images that eval "
        "takes go through the file and through the checkpoint, and where they disagree nothing is written.",
        epilog="Example: ding-cls export runs/flowers --image rose.jpg",
    )
    export.set_defaults(verb=_export)
    export.add_argument("checkpoint", metavar="CKPT", help="a run's folder, or a file in its ckpt/")
    export.add_argument(
        "--format",
        choices=tuple(_ENDINGS.values()),
        help="by the ending of --out, else onnx: runs in ONNX Runtime; torch_export: in torch, without the "
        "network's code; safetensors: the evaluated weights alone",
    )
    export.add_argument(
        "--out", metavar="FILE", help="the file; by default the run's name in the working directory"
    )
    export.add_argument("--image", metavar="FILE", help="print what the exported file says of this image")
    export.add_argument(
        "--samples", type=int, metavar="N", help="compare on N images, spread evenly; by default on all"
    )
    export.add_argument(
        "--input",
        choices=("uint8", "float"),
        default="uint8",
        help="what the file takes: cropped RGB images (N, H, W, 3) of uint8, which is the default; or float "
        "(N, 3, H, W), normalised",
    )
    export.add_argument(
        "--int8",
        action="store_true",
        help="write a second ONNX file with integers of 8 bits, FILE_int8.onnx, and say what it costs",
    )
    add_evaluated_images(export)
    add_allow_code(export)
    add_debug(export)


def _export(arguments: argparse.Namespace) -> None:
    if launched_world_size() > 1:
        raise ConfigError(f"export runs in one process, and {launched_world_size()} were started; start one")
    from ding_cls.pipeline.exporting.export import export_checkpoint

    ending = os.path.splitext(arguments.out or "")[1].lower()
    chosen: Any = arguments.format or _ENDINGS.get(ending, "onnx")
    lines = export_checkpoint(
        arguments.checkpoint,
        chosen,
        out=arguments.out,
        image=arguments.image,
        samples=arguments.samples,
        layout=arguments.input,
        int8=arguments.int8,
        data=arguments.data,
        split=arguments.split,
        batch_size=arguments.batch_size,
        max_bad=arguments.max_bad,
        allow_code=arguments.allow_code,
    )
    for line in lines:
        print(line, flush=True)
