"""``ding-cls doctor``."""

import argparse

from ding_cls.cli.arguments import (
    Verbs,
    add_allow_code,
    add_debug,
    add_words,
    check_stray,
    files_and_overrides,
)
from ding_cls.errors import ConfigError


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    doctor = verbs.add_parser(
        "doctor",
        help="what is wrong with data: damaged images, duplicates, leaks between splits, names, counts",
        description="Open every image once and tell what is wrong, the most severe first. Near duplicates "
        "take pip install 'ding_cls[doctor]'. Exit code 0: nothing serious, 1: something is, 2: an error.",
        epilog="Example: ding-cls doctor flowers --out doctor.html",
    )
    doctor.set_defaults(verb=_doctor)
    doctor.add_argument(
        "--group-column",
        metavar="NAME",
        help="column of a table that says which images are of one person: that may be in one split alone",
    )
    doctor.add_argument(
        "--quarantine",
        metavar="FILE.csv",
        help="list what had better be left out: what cannot be read, and training images that are evaluated "
        "too; policy.collect.quarantine=FILE.csv leaves it out",
    )
    doctor.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="FILE",
        help="write all that is found to FILE.json, or a page with images to FILE.html; repeat it for both",
    )
    add_words(
        doctor,
        first="DATA [key=value ...]",
        files="a folder of splits or classes, a table as labels.csv, an .npz file, a config or a run",
        example="policy.collect.quarantine=FILE.csv, of a config",
    )
    add_allow_code(doctor)
    add_debug(doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    files, overrides = files_and_overrides(arguments.words)
    check_stray(files[1:], "ding-cls doctor DATA: ")
    if len(files) != 1:
        given = ", ".join(files) or "none"
        raise ConfigError(f"say which data: one folder, table or config; given were {given}")

    from ding_cls.pipeline.doctor.run import check_outputs, doctor, write_outputs
    from ding_cls.pipeline.doctor.show import doctor_text

    check_outputs(arguments.out, arguments.quarantine)
    report = doctor(
        files[0],
        overrides=overrides,
        group_column=arguments.group_column,
        allow_code=arguments.allow_code,
    )
    write_outputs(report, arguments.out, arguments.quarantine)
    print(doctor_text(report))
    for path in arguments.out:
        print(f"written to {path}")
    if arguments.quarantine is not None:
        print(f"written to {arguments.quarantine}")
        print(
            f"to leave out what it lists: ding-cls train ... policy.collect.quarantine={arguments.quarantine}"
        )
    return int(report.is_serious)
