"""The command line: parsing only. A verb imports what it needs, so that ``--help`` answers at once."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ding_cls import __version__
from ding_cls.common.process import launched_rank, launched_world_size
from ding_cls.errors import ConfigError, DingError, RunStopped

# What gloo and nccl say on the ranks that are left when another one ended.
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "remote process exited")

Program = Callable[..., Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``ding-cls`` and return its exit code: 0 done, 2 the user's input, 75 stopped by a signal and
    resumable.

    Args:
        argv: the arguments after the program's name; None takes the process's.
    """
    parser = _parser()
    arguments = _parse(parser, argv)
    if arguments.verb is None:
        parser.print_help()
        return 2
    return _guarded(lambda: arguments.verb(arguments), is_debugging=arguments.debug)


def run_program(
    program: Program,
    config: Mapping[str, Any],
    *,
    embedded: Mapping[str, Any] | None = None,
    argv: Sequence[str] | None = None,
) -> int:
    """Run a zoo entry's ``main(cfg, seed, resume=)`` from the command line and return the exit code.

    Args:
        program: the entry's main.
        config: its config.
        embedded: the config to take instead when no data are named and the config's folder is not there.
        argv: the arguments after the program's name; None takes the process's.
    """
    parser = argparse.ArgumentParser(description="train, evaluate, and keep the best checkpoint")
    _add_run_arguments(parser)
    arguments = _parse(parser, argv)

    def run() -> None:
        from ding_cls.pipeline.summary import print_summary

        cfg = _with_data(config, arguments, embedded)
        result = program(cfg, arguments.seed, resume=arguments.resume)
        if launched_rank() == 0:
            print_summary(result)

    return _guarded(run, is_debugging=arguments.debug)


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse; argparse takes ``key=value`` words on one side of the options only; the rest is added."""
    arguments, rest = parser.parse_known_args(argv)
    unknown = [word for word in rest if word.startswith("-") or not hasattr(arguments, "words")]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if rest:
        arguments.words = [*arguments.words, *rest]
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ding-cls", description="Train and judge image classifiers.")
    parser.add_argument("--version", action="version", version=f"ding-cls {__version__}")
    parser.set_defaults(verb=None, debug=False)
    verbs = parser.add_subparsers(metavar="VERB")

    train = verbs.add_parser("train", help="train from a config file, or from a folder and a model's name")
    train.set_defaults(verb=_train)
    train.add_argument(
        "--model", metavar="NAME", help="resnet50, mobilenet_v2, or any other classifier of torchvision"
    )
    train.add_argument(
        "--pretrained",
        nargs="?",
        const=True,
        default=False,
        metavar="FILE",
        help="begin with ImageNet weights, or a file's",
    )
    train.add_argument("--epochs", type=int, metavar="N", help="epochs in all")
    _add_run_arguments(train, first="[CONFIG] [key=value ...]")

    evaluate = verbs.add_parser("eval", help="loss, acc1 and acc5 of a checkpoint")
    evaluate.set_defaults(verb=_evaluate)
    evaluate.add_argument("checkpoint", metavar="CKPT", help="a run's folder, or a file in its ckpt/")
    evaluate.add_argument(
        "--data", metavar="DIR", help="folder of the split's folder; by default the run's own"
    )
    evaluate.add_argument("--split", choices=("train", "val", "test"), default="val", help="val by default")
    evaluate.add_argument(
        "--batch-size", type=int, metavar="N", help="images per batch; by default the run's"
    )
    evaluate.add_argument(
        "--out", metavar="FILE", help="write sample ids, targets and logits to this .npz file"
    )
    _add_debug(evaluate)

    environment = verbs.add_parser("env", help="versions and devices, for a bug report")
    environment.set_defaults(verb=_environment)
    _add_debug(environment)
    return parser


def _add_run_arguments(parser: argparse.ArgumentParser, first: str = "key=value") -> None:
    parser.add_argument("words", nargs="*", metavar=first, help="values such as policy.learn.batch_size=64")
    parser.add_argument(
        "--data", metavar="DIR", help="folder with train/ and val/, one sub-folder per class in each"
    )
    parser.add_argument("--synthetic", action="store_true", help="generate images; read none")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything random")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in the folder exp_name, to the last bit"
    )
    _add_debug(parser)


def _add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _guarded(run: Callable[[], Any], *, is_debugging: bool) -> int:
    """Run, and turn the errors that a user can mend into one line and an exit code."""
    try:
        run()
    except DingError as error:
        if is_debugging:
            traceback.print_exc()
        # Every rank reads the same words and finds the same mistake in them: one says so.
        if launched_rank() == 0 or not isinstance(error, ConfigError):
            print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except RuntimeError as error:
        if launched_world_size() == 1 or is_debugging or not any(sign in str(error) for sign in _LOST):
            raise
        print(
            f"rank {launched_rank()} lost another rank, which says above or below why it ended",
            file=sys.stderr,
        )
        return 1
    except RunStopped as stop:
        print(stop.message, file=sys.stderr)
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _train(arguments: argparse.Namespace) -> None:
    words = list(arguments.words)
    pretrained = arguments.pretrained
    if isinstance(pretrained, str) and "=" in pretrained and not os.path.exists(pretrained):
        # '--pretrained key=value': the flag stood before an override, not before a file.
        words.append(pretrained)
        pretrained = True
    configs = [word for word in words if "=" not in word]
    if len(configs) > 1:
        raise ConfigError(f"one config file at a time; given were {', '.join(configs)}")
    if configs and os.path.isdir(configs[0]):
        raise ConfigError(f"'{configs[0]}' is a folder; a folder of pictures is given as --data {configs[0]}")

    if configs and not os.path.exists(configs[0]) and not configs[0].endswith(".py"):
        raise ConfigError(
            f"there is no config file '{configs[0]}'; a model is named by --model {configs[0]}, "
            f"a folder of pictures by --data {configs[0]}"
        )

    from ding_cls.pipeline import print_summary, train

    result = train(
        configs[0] if configs else None,
        data=arguments.data,
        model=arguments.model,
        pretrained=pretrained,
        epochs=arguments.epochs,
        seed=arguments.seed,
        resume=arguments.resume,
        synthetic=arguments.synthetic,
        overrides=[word for word in words if "=" in word],
    )
    if launched_rank() == 0:
        print_summary(result)


def _evaluate(arguments: argparse.Namespace) -> None:
    from ding_cls.pipeline import evaluate

    result = evaluate(
        arguments.checkpoint,
        data=arguments.data,
        split=arguments.split,
        batch_size=arguments.batch_size,
        out=arguments.out,
    )
    if launched_rank() == 0:
        print("\t".join(f"{name}={value:.6g}" for name, value in result.items()))


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


def _with_data(
    config: Mapping[str, Any], arguments: argparse.Namespace, embedded: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the config with what the command line says about data, and its overrides."""
    stray = [word for word in arguments.words if "=" not in word]
    if stray:
        raise ConfigError(
            f"'{stray[0]}' is not key=value; a folder of pictures is given as --data {stray[0]}"
        )

    from ding_cls.config import apply_overrides
    from ding_cls.data import find_split, write_digits
    from ding_cls.pipeline.train import resumed_config

    folder = config["policy"]["collect"]["learn_data_path"]
    names_data = any(word.startswith("policy.collect.") and "_data_path=" in word for word in arguments.words)
    is_free = not (arguments.data or arguments.synthetic or names_data)
    data = arguments.data
    if is_free and embedded is not None and not os.path.isdir(folder):
        config = embedded
        # A run that is resumed brings its own paths along.
        data = None if arguments.resume else write_digits()
        if launched_rank() == 0 and data is not None:
            print(
                f"No --data was given and there is no ImageNet at '{folder}': training on the embedded set "
                f"of 1,797 handwritten digits.\nIts pictures lie in {data}; --data DIR trains on your own."
            )
    paths = {}
    if data is not None:
        paths = {
            "learn_data_path": str(find_split(data, "train")),
            "eval_data_path": str(find_split(data, "val")),
        }
    if arguments.synthetic:
        paths["synthetic"] = "True"
    if arguments.resume:
        config = resumed_config(config, arguments.words)
    return apply_overrides(config, [*(f"policy.collect.{k}={v}" for k, v in paths.items()), *arguments.words])
