"""``ding-cls models``."""

import argparse

from ding_cls.cli.arguments import Verbs, add_debug
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    models = verbs.add_parser(
        "models",
        help="the networks that a config can name",
        description="List networks by name, and where each comes from. Whole networks are named by "
        "policy.model.name (--model NAME), backbones by policy.model.backbone.type.",
    )
    models.set_defaults(verb=_models)
    models.add_argument(
        "pattern", nargs="?", metavar="GLOB", default="*", help="such as 'resnet*'; quoted, for the shell"
    )
    models.add_argument("--parameters", action="store_true", help="build each one and count its parameters")
    add_debug(models)


def _models(arguments: argparse.Namespace) -> None:
    from ding_cls.common.columns import in_columns
    from ding_cls.models.build import near_names
    from ding_cls.models.listing import list_networks

    found = list_networks(arguments.pattern, with_parameters=arguments.parameters)
    if not found:
        near = near_names(arguments.pattern.strip("*"))
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ConfigError(
            f"no network's name fits '{arguments.pattern}'; {hint}ding-cls models lists all of them"
        )
    counts = ["" if each.num_parameters is None else f"{each.num_parameters / 1e6:9.2f} M" for each in found]
    rows = [
        [each.name, *([count] if any(counts) else []), each.library]
        for each, count in zip(found, counts, strict=True)
    ]
    print(in_columns(rows))
