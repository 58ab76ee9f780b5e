"""``ding-cls publish``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_allow_code, add_debug, add_evaluated_images


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verb."""
    publish = verbs.add_parser(
        "publish",
        help="the weights alone, named by their digest, and a model card",
        description="Write the weights that a run has judged, without optimizer and history, as "
        "NAME_DATE-HASH.pth, which plain PyTorch and train --pretrained load, and a model card beside it: "
        "data, results with intervals, preprocessing, licence fields, how to load it. The file is loaded "
        "again and must give the same logits before it is published.",
        epilog="Example: ding-cls publish runs/flowers --split test",
    )
    publish.set_defaults(verb=_publish)
    publish.add_argument("checkpoint", metavar="CKPT", help="a run's folder, or a file in its ckpt/")
    publish.add_argument(
        "--format", choices=("pth", "safetensors"), default="pth", help="of the weights; pth by default"
    )
    publish.add_argument(
        "--out", metavar="DIR", default=".", help="folder to write into; by default this one"
    )
    add_evaluated_images(publish)
    add_allow_code(publish)
    add_debug(publish)


def _publish(arguments: argparse.Namespace) -> None:
    from ding_cls.pipeline.exporting.publish import publish

    found = publish(
        arguments.checkpoint,
        out=arguments.out,
        format=arguments.format,
        data=arguments.data,
        split=arguments.split,
        batch_size=arguments.batch_size,
        allow_code=arguments.allow_code,
        max_bad=arguments.max_bad,
    )
    if found is not None:
        print(f"weights: {found.weights}\ncard:    {found.card}\nsha256:  {found.sha256}")
