"""``ding-cls train``, and the command line of a zoo entry's main."""

import argparse
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ding_cls.cli.arguments import (
    Verbs,
    add_allow_code,
    add_debug,
    add_words,
    check_stray,
    files_and_overrides,
    one_config,
    parse,
    resumed,
)
from ding_cls.cli.exits import guarded
from ding_cls.common.process import launched_rank
from ding_cls.common.stops.signals import stoppable_command
from ding_cls.errors import ConfigError, DingError

if TYPE_CHECKING:
    from ding_cls.pipeline.result import TrainResult

Program = Callable[..., Any]
REPORTS = "DING_CLS_REPORT"
"""Environment variable that entry/demo.sh sets: a report is written once the run is trained."""

FOLDER = (
    "folder with train/ and val/, one sub-folder per class in each; or a table, as labels.csv with the "
    "columns path, label, split; or arrays in an .npz file"
)


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    train = verbs.add_parser("train", help="train from a config file, or from a folder and a model's name")
    train.set_defaults(verb=_train, needs_stdout=False)
    add_training_arguments(train)
    train.add_argument(
        "--dry-run",
        action="store_true",
        help="build everything, do a few updates, print shapes, loss, time, memory and disk; keep nothing",
    )
    train.add_argument(
        "--check-images",
        action="store_true",
        help="open every training and evaluation image first, and list those that cannot be read",
    )
    add_run_arguments(train, first="[CONFIG] [key=value ...]", files="a config file")


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what describes a run beside its config and data."""
    parser.add_argument(
        "--model", metavar="NAME", help="any classifier of torchvision, such as resnet50; timm's as timm/NAME"
    )
    parser.add_argument(
        "--pretrained",
        nargs="?",
        const=True,
        default=False,
        metavar="FILE",
        help="begin with ImageNet weights, or those of a file or of a run's folder",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="epochs in all")
    parser.add_argument("--work-dir", metavar="DIR", help="the run's folder; the same as exp_name=DIR")
    parser.add_argument("--no-validate", action="store_true", help="train without evaluating")


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
    add_run_arguments(parser)
    arguments = parse(parser, argv)

    results: list[TrainResult] = []

    @stoppable_command()
    def run() -> None:
        from ding_cls.config.user_code import import_user_code
        from ding_cls.pipeline.summary import print_summary

        resume = resumed(arguments)
        cfg = _with_data(config, arguments, embedded, resume)
        import_user_code(cfg, is_allowed=arguments.allow_code)
        more = {"allow_changed_data": True} if arguments.allow_changed_data else {}
        if more and "allow_changed_data" not in inspect.signature(program).parameters:
            raise ConfigError("this program does not take --allow-changed-data; leave it out")
        result = program(cfg, arguments.seed, resume=resume, **more)
        if launched_rank() == 0:
            print_summary(result)
            results.append(result)

    code = guarded(run, is_debugging=arguments.debug, argv=argv)
    if code or not results or not os.environ.get(REPORTS):
        return code
    return guarded(
        lambda: _report(results[0], allow_code=arguments.allow_code), is_debugging=arguments.debug, argv=argv
    )


def _report(result: "TrainResult", *, allow_code: bool) -> None:
    """Write the report of a run that has just been trained, and say where; that it cannot be is no error."""
    from ding_cls.pipeline.reporting.report import report

    split = "test" if result.has_test_split else None
    if split is None and not result.final:
        return
    try:
        path = report(result.best_checkpoint, split=split, allow_code=allow_code)
    except DingError as error:
        print(f"\nNo report was written: {error}")
    else:
        print(f"\nA report to open in a browser: {path.resolve()}")


def add_run_arguments(
    parser: argparse.ArgumentParser,
    *,
    first: str = "key=value",
    files: str = "",
    folder: str = FOLDER,
) -> None:
    """Add the words, the data, the seed, and how to go on.

    Args:
        parser: where to add them.
        first: as in `add_words`.
        files: as there.
        folder: what ``--data`` names.
    """
    add_words(parser, first=first, files=files)
    add_data_arguments(parser, folder=folder)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="RUN",
        help="continue a run, to the last bit: its folder, or a checkpoint in it (newer ones are set aside); "
        "alone, the run in --work-dir or exp_name",
    )
    parser.add_argument(
        "--allow-changed-data",
        action="store_true",
        help="resume also where names or labels of the data have changed since the checkpoint",
    )
    add_allow_code(parser)
    add_debug(parser)


def add_data_arguments(parser: argparse.ArgumentParser, *, folder: str = FOLDER) -> None:
    """Add what is trained on, and the seed.

    Args:
        parser: where to add them.
        folder: what ``--data`` names.
    """
    parser.add_argument("--data", metavar="PATH", help=folder)
    parser.add_argument("--synthetic", action="store_true", help="generate images; read none")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything random")


def training_settings(arguments: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    """Return the files that the words name, and the arguments of ``train`` that all others make."""
    files, overrides = files_and_overrides(arguments.words)
    pretrained = arguments.pretrained
    if isinstance(pretrained, str) and "=" in pretrained and not os.path.exists(pretrained):
        # '--pretrained key=value': the flag stood before an override, not before a file.
        overrides.append(pretrained)
        pretrained = True
    if arguments.no_validate:
        overrides.append("policy.eval.evaluator.validate=False")
    return files, {
        "data": arguments.data,
        "model": arguments.model,
        "pretrained": pretrained,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "synthetic": arguments.synthetic,
        "exp_name": arguments.work_dir,
        "overrides": overrides,
        "allow_code": getattr(arguments, "allow_code", False),
    }


@stoppable_command()
def _train(arguments: argparse.Namespace) -> None:
    resume = resumed(arguments)
    files, settings = training_settings(arguments)
    settings["check_images"] = arguments.check_images
    config = one_config(files)
    if config is not None and resume and os.path.isfile(os.path.join(config, "total_config.py")):
        # A run's folder, before or behind --resume.
        resume, config = config if resume is True else resume, None
    if config is not None:
        check_config_word(config)
    if arguments.dry_run and resume:
        raise ConfigError("--dry-run looks at the beginning of a new run; leave out --resume")
    if arguments.dry_run:
        from ding_cls.pipeline.dry_run.run import dry_run, print_dry_run

        report = dry_run(config, **settings)
        if launched_rank() == 0:
            print_dry_run(report)
        return

    from ding_cls.pipeline import print_summary, train

    result = train(config, resume=resume, allow_changed_data=arguments.allow_changed_data, **settings)
    if launched_rank() == 0:
        print_summary(result)


def check_config_word(word: str) -> None:
    """Refuse what is no config file.

    Raises:
        ConfigError: it says what the word is instead.
    """
    if os.path.isfile(os.path.join(word, "total_config.py")):
        raise ConfigError(
            f"'{word}' is a run's folder; --resume continues it, its total_config.py begins one like it"
        )
    if os.path.isdir(word):
        raise ConfigError(f"'{word}' is a folder; a folder of images is given as --data {word}")
    if not os.path.exists(word) and not word.endswith((".py", ".json", ".yaml", ".yml")):
        raise ConfigError(
            f"there is no config file '{word}'; a model is named by --model {word}, "
            f"a folder of images by --data {word}"
        )


def _with_data(
    config: Mapping[str, Any],
    arguments: argparse.Namespace,
    embedded: Mapping[str, Any] | None,
    resume: bool | str,
) -> dict[str, Any]:
    """Return the config with what the command line says about data, its overrides, and the run to resume."""
    stray = [word for word in arguments.words if "=" not in word]
    check_stray(stray)
    if stray:
        raise ConfigError(f"'{stray[0]}' is not key=value; a folder of images is given as --data {stray[0]}")

    from ding_cls.config import resolve
    from ding_cls.data import find_split, write_digits
    from ding_cls.pipeline.resume import folder_in, named_run, without_folders
    from ding_cls.pipeline.train import resumed_config

    folder = config["policy"]["collect"]["learn_data_path"]
    names_data = any(word.startswith("policy.collect.") and "_data_path=" in word for word in arguments.words)
    is_free = not (arguments.data or arguments.synthetic or names_data)
    data = arguments.data
    if is_free and embedded is not None and not os.path.isdir(folder):
        config = embedded
        # A run that is resumed brings its own paths along.
        data = None if resume else write_digits()
        if launched_rank() == 0 and data is not None:
            print(
                f"No --data was given and there is no ImageNet at '{folder}': training on the embedded set "
                f"of 1,797 handwritten digits.\nIts images are in {data}; --data DIR trains on your own."
            )
    given: dict[str, Any] = {}
    if data is not None:
        given["policy.collect.learn_data_path"] = str(find_split(data, "train"))
        given["policy.collect.eval_data_path"] = str(find_split(data, "val"))
    if arguments.synthetic:
        given["policy.collect.synthetic"] = True
    words = arguments.words
    if folder := named_run(resume, folder_in(words)).folder:
        config, words = {**config, "exp_name": folder}, without_folders(words)
    if resume:
        config = resumed_config(config, words)
    described = resolve(config, words, given=given)
    if described.problems:
        raise ConfigError("\n".join(described.problems))
    return described.cfg
