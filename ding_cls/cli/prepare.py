"""``ding-cls split`` and ``ding-cls prepare``: data made ready for training."""

import argparse

from ding_cls.cli.arguments import Verbs, add_debug
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    split = verbs.add_parser(
        "split",
        help="divide a folder of class folders into train, val and test",
        description="Copy SRC/CLASS/image.jpg to DST/train/CLASS/picture.jpg, DST/val/..., DST/test/..., "
        "every class alike. DST appears whole or not at all; SRC stays as it is.",
    )
    split.set_defaults(verb=_split)
    split.add_argument("source", metavar="SRC", help="folder with one sub-folder per class")
    split.add_argument("target", metavar="DST", help="folder to make")
    how = split.add_mutually_exclusive_group(required=True)
    how.add_argument("--fractions", metavar="0.8,0.1,0.1", help="share of each part")
    how.add_argument("--per-class", metavar="60,10,rest", help="images of each class in each part")
    split.add_argument("--names", default="train,val,test", help="the parts' folders; train,val,test")
    split.add_argument(
        "--seed", type=int, help="draw by chance; without it images go in the order of their names"
    )
    split.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help="keep images together in whose names it finds the same, as '^[^_]+' for one person's",
    )
    split.add_argument("--link", action="store_true", help="make symbolic links instead of copies")
    add_debug(split)

    prepare = verbs.add_parser("prepare", help="make class folders of published archives")
    prepare.set_defaults(helper=prepare)
    kinds = prepare.add_subparsers(metavar="KIND")
    imagenet = kinds.add_parser(
        "imagenet",
        help="ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar",
        description="Unpack ImageNet's archives into DST/train/SYNSET and DST/val/SYNSET. Repeat it after an "
        "interruption: classes that are there are not unpacked again.",
    )
    imagenet.set_defaults(verb=_prepare_imagenet)
    imagenet.add_argument("archives", metavar="TARS", help="folder with the archives and the devkit")
    imagenet.add_argument("target", metavar="DST", help="folder for train and val")
    imagenet.add_argument(
        "--val-labels",
        metavar="FILE",
        help="text with the synset of each validation image, instead of the devkit",
    )
    add_debug(imagenet)


def _split(arguments: argparse.Namespace) -> None:
    fractions = (
        None if arguments.fractions is None else [_share(each) for each in _words(arguments.fractions)]
    )
    per_class = (
        None if arguments.per_class is None else [_count(each) for each in _words(arguments.per_class)]
    )

    from ding_cls.data.tools.split_folder import split_folder

    parts = split_folder(
        arguments.source,
        arguments.target,
        fractions=fractions,
        per_class=per_class,
        names=_words(arguments.names),
        seed=arguments.seed,
        group_pattern=arguments.group_pattern,
        link=arguments.link,
    )
    for part in parts:
        each = str(part.most) if part.fewest == part.most else f"{part.fewest} to {part.most}"
        print(f"{part.name}: {part.num_images:,} images, {each} of each of {part.num_classes} classes")


def _prepare_imagenet(arguments: argparse.Namespace) -> None:
    from ding_cls.data.tools.imagenet import prepare_imagenet

    counts = prepare_imagenet(
        arguments.archives,
        arguments.target,
        val_labels=arguments.val_labels,
        report=lambda line: print(line, flush=True),
    )
    for name, count in counts.items():
        print(f"{name}: {count:,} images")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _share(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ConfigError(f"--fractions: {word!r} is no number; it is written 0.8,0.1,0.1") from None


def _count(word: str) -> int | str:
    if word != "rest" and not word.isdecimal():
        raise ConfigError(
            f"--per-class: {word!r} is no whole number and not 'rest'; it is written 60,10,rest"
        )
    return word if word == "rest" else int(word)
