"""``ding-cls predict``."""

import argparse
import sys
from typing import Any

from ding_cls.cli.arguments import (
    Verbs,
    add_allow_code,
    add_confidence,
    add_debug,
    add_split,
    add_threshold,
    add_tta,
)
from ding_cls.common.process import launched_world_size
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    predict = verbs.add_parser(
        "predict",
        help="what a trained network says of images",
        description="Print each image's path and, below it, a line 'score name' for each of the classes that "
        "the network holds most likely. With --out nothing is printed, and a file is written.",
        epilog="Example: ding-cls predict runs/flowers images/ --out answers.csv",
    )
    predict.set_defaults(verb=_predict)
    predict.add_argument(
        "words",
        nargs="+",
        metavar="CKPT PATH",
        help="a run's folder, or a file in its ckpt/, or several of them for their mean, or an ONNX file; "
        "then image files, folders (all images in them, at any depth), patterns in quotes, or - for a list "
        "on the standard input, one path a line",
    )
    predict.add_argument("--topk", type=int, default=3, metavar="K", help="classes of each image; 3")
    predict.add_argument(
        "--out", metavar="FILE", help="write a .csv, .json or .parquet file, one row for each image"
    )
    _add_folders(predict)
    add_split(predict, about="the run's own images in place of PATH, as eval finds them")
    add_tta(predict)
    predict.add_argument(
        "--probabilities", action="store_true", help="a column for each class in the file of --out"
    )
    add_threshold(predict)
    predict.add_argument(
        "--strict", action="store_true", help="exit code 2 where an image could not be read; by default 0"
    )
    predict.add_argument("--batch-size", type=int, metavar="N", help="images per batch; by default the run's")
    predict.add_argument("--workers", type=int, metavar="N", help="processes that read; by default the run's")
    _add_weights(predict)
    add_confidence(predict)
    add_allow_code(predict)
    add_debug(predict)


def _add_weights(predict: argparse.ArgumentParser) -> None:
    """Enter the options of weights that are not a run's."""
    predict.add_argument(
        "--model", metavar="NAME", help="the network of a file of weights alone, such as mobilenet_v2"
    )
    predict.add_argument(
        "--pretrained",
        action="store_true",
        help="ImageNet weights of --model's own library; then there is no CKPT",
    )
    predict.add_argument(
        "--classes", metavar="FILE", help="with --model: a text with the name of a class on each line"
    )


def _add_folders(predict: argparse.ArgumentParser) -> None:
    predict.add_argument(
        "--draw", metavar="DIR", help="write each image into DIR, with its classes and scores on it"
    )
    predict.add_argument(
        "--cam",
        metavar="DIR",
        help="write a heat map of each image into DIR (Grad-CAM): where its class shows",
    )
    predict.add_argument(
        "--sort-into", metavar="DIR", help="copy each image into DIR/CLASS, by its predicted class"
    )
    predict.add_argument(
        "--wrong",
        action="store_true",
        help="with --sort-into: only images in the folder of another class, into DIR/FOLDER/CLASS",
    )
    predict.add_argument(
        "--link", action="store_true", help="with --sort-into: symbolic links in place of copies"
    )


def _predict(arguments: argparse.Namespace) -> int:
    if launched_world_size() > 1:
        raise ConfigError(f"predict runs in one process, and {launched_world_size()} were started; start one")
    if arguments.probabilities and arguments.out is None:
        raise ConfigError("--probabilities are columns of a file; add --out FILE.csv, .json or .parquet")
    from ding_cls.inference import load
    from ding_cls.inference.outputs.writers import OutputFolders
    from ding_cls.inference.predict import (
        about_calibration,
        averaged_line,
        check_output,
        named_images,
        predict_files,
    )

    members, words = _named(arguments)
    names = ("draw", "cam", "sort_into", "wrong", "link")
    folders = OutputFolders(**{name: getattr(arguments, name) for name in names})
    sources: Any = named_images(words, sys.stdin.buffer) if words else []
    check_output(arguments.out, topk=arguments.topk, read=sources)
    predictor = load(
        members or None,
        model=arguments.model,
        pretrained=arguments.pretrained,
        classes=arguments.classes,
        threshold=arguments.threshold,
        allow_code=arguments.allow_code,
        calibrated=arguments.calibrated,
        max_risk=arguments.max_risk,
        tta=arguments.tta,
    )
    if arguments.split:
        from ding_cls.inference.members import with_folds
        from ding_cls.pipeline.evaluation.split_images import split_images

        sources = split_images(
            with_folds(members),
            arguments.split,
            preprocessings=predictor.preprocessings,
            allow_code=arguments.allow_code,
            out=arguments.out,
        )
    for line in filter(None, (averaged_line(predictor), about_calibration(predictor))):
        print(line, file=sys.stderr)
    writers = folders.writers(predictor, sources, topk=arguments.topk, batch_size=arguments.batch_size)
    count = predict_files(
        predictor,
        sources,
        topk=arguments.topk,
        out=arguments.out,
        with_probabilities=arguments.probabilities,
        batch_size=arguments.batch_size,
        num_workers=arguments.workers,
        writers=writers,
    )
    for path, error in count.failed[:5] if arguments.out else ():
        print(f"not read: {error or path}", file=sys.stderr)
    written = "".join(f"; {each}" for each in writers)
    print(f"{count}{': ' + arguments.out if arguments.out else ''}{written}", file=sys.stderr)
    return 2 if arguments.strict and count.failed else 0


def _named(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the words that name networks, and those that name images.

    Raises:
        ConfigError: one of the two is missing, or both are named where one is.
    """
    from ding_cls.inference.members import is_onnx, members_and_images, refuse_image

    if arguments.split and (arguments.pretrained or arguments.model):
        raise ConfigError("--split is a run's own, and weights alone know no data: leave it out, name images")
    if arguments.pretrained:
        return [], arguments.words
    refuse_image(arguments.words[0])
    members, images = members_and_images(arguments.words, has_images=not arguments.split)
    if arguments.split and any(map(is_onnx, members)):
        raise ConfigError("--split is a run's own, and an ONNX file knows no data: leave it out, name images")
    if arguments.split and images:
        raise ConfigError(f"--split takes the run's own images, and '{images[0]}' is named: leave out one")
    return members, images
