"""``ding-cls kfold``."""

import argparse
import os

from ding_cls.cli.arguments import Verbs, one_config, resumed
from ding_cls.cli.run import add_run_arguments, add_training_arguments, check_config_word, training_settings
from ding_cls.common.stops.signals import stoppable_command
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    kfold = verbs.add_parser(
        "kfold",
        help="cross-validation: train and evaluate once for each fold, and sum up",
        description="Divide the training data into folds; train one network for each on all others, evaluate "
        "it on its own; print mean, spread and where the out-of-fold predictions lie.",
    )
    kfold.set_defaults(verb=_kfold, needs_stdout=False)
    kfold.add_argument("--num-splits", type=int, metavar="N", help="number of folds; 5 by default")
    kfold.add_argument("--fold", type=int, metavar="K", help="this fold alone, counted from 0")
    kfold.add_argument("--start-fold", type=int, default=0, metavar="K", help="the first fold to do, from 0")
    kfold.add_argument("--no-stratify", action="store_true", help="do not keep classes alike in all folds")
    groups = kfold.add_mutually_exclusive_group()
    groups.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help="keep images together in whose names it finds the same, as '^[^_]+' for one person's",
    )
    groups.add_argument("--no-groups", action="store_true", help="divide groups, though the data name some")
    kfold.add_argument(
        "--use-last", action="store_true", help="evaluate the last weights of each fold, not the best"
    )
    kfold.add_argument(
        "--summary", action="store_true", help="train nothing; sum up the folds that are there"
    )
    add_training_arguments(kfold)
    add_run_arguments(
        kfold,
        first="[CONFIG] [key=value ...]",
        files="a config file, or the folder of all folds to resume or sum up",
        folder="folder with train/, or with one sub-folder per class; or a table, as labels.csv with the "
        "columns path, label; or arrays in an .npz file",
    )


@stoppable_command()
def _kfold(arguments: argparse.Namespace) -> None:
    resume = resumed(arguments)
    files, settings = training_settings(arguments)
    config = one_config(files)
    if isinstance(resume, str):
        from ding_cls.pipeline.resume import without_folders

        settings["exp_name"], settings["overrides"] = resume, without_folders(settings["overrides"])
    if config is not None and os.path.isfile(os.path.join(config, "kfold.json")):
        if not (resume or arguments.summary):
            raise ConfigError(
                f"'{config}' is the folder of a cross-validation; --resume continues it, --summary sums it up"
            )
        settings["exp_name"], config = settings["exp_name"] or config, None
    if config is not None:
        check_config_word(config)

    from ding_cls.pipeline import kfold, kfold_summary, print_kfold
    from ding_cls.pipeline.kfold.plan import kfold_folder
    from ding_cls.pipeline.kfold.predictions import check_alone

    if arguments.summary:
        check_alone("kfold")
        allow_code = settings.pop("allow_code")
        del settings["seed"]
        folder = kfold_folder(config, **settings)
        print_kfold(kfold_summary(folder, use_last=arguments.use_last, allow_code=allow_code))
        return
    result = kfold(
        config,
        resume=bool(resume),
        num_splits=arguments.num_splits,
        fold=arguments.fold,
        start_fold=arguments.start_fold,
        stratified=False if arguments.no_stratify else None,
        grouped=False if arguments.no_groups else None,
        group_pattern=arguments.group_pattern,
        use_last=arguments.use_last,
        allow_changed_data=arguments.allow_changed_data,
        **settings,
    )
    print_kfold(result)
