"""The doctor from data to report: what it looks at, what it finds, and the files it writes."""

import os
import time
from collections.abc import Sequence

from ding_cls.common.tables import checked_ending, published, write_json
from ding_cls.data.tools.doctor.examine import examine
from ding_cls.data.tools.quarantine import write_quarantine
from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.doctor.page import doctor_page
from ding_cls.pipeline.doctor.reading import default_workers, look_at_all
from ding_cls.pipeline.doctor.report import DoctorReport
from ding_cls.pipeline.doctor.sets import sets_of_config, sets_of_data
from ding_cls.pipeline.image_check import image_progress
from ding_cls.report.page import need_jinja2

OUT_ENDINGS = (".json", ".html")
_CONFIGS = (".py", ".json", ".yaml", ".yml")


def doctor(
    data: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    group_column: str | None = None,
    allow_code: bool = False,
) -> DoctorReport:
    """Look at all images of some data once, and return what is found.

    Args:
        data: a folder of splits or of classes, a table, arrays in an .npz file, a config, or a run's folder.
        overrides: ``key=value`` words of a config.
        group_column: the column of a table that says which images stay together.
        allow_code: import the modules that a config names.

    Raises:
        ConfigError: the config or an argument cannot be used.
        DataError: the data cannot be listed.
    """
    name = os.fspath(data)
    is_run = os.path.isfile(os.path.join(name, "total_config.py"))
    is_config = is_run or (name.lower().endswith(_CONFIGS) and not os.path.isdir(name))
    if is_config and group_column is not None:
        raise ConfigError(
            "--group-column is for a table; a config names the column itself, as group='patient'"
        )
    if overrides and not is_config:
        raise ConfigError(f"{overrides[0]!r} is a word for a config, and {name!r} is none")
    began = time.perf_counter()
    if is_config:
        given = sets_of_config(name, overrides, allow_code=allow_code)
    else:
        given = sets_of_data(name, group_column=group_column)
    if not given.sets:
        raise DataError(f"{name!r} names no data: set policy.collect.learn_data_path, or name a folder")
    workers = default_workers() if given.num_workers is None else given.num_workers
    with image_progress(sum(map(len, given.sets.values()))) as advance:
        looked, sources = look_at_all(given, num_workers=workers, advance=advance)
    findings, quarantine = examine(looked, given.steps)
    return DoctorReport(
        name=name,
        data=looked,
        sources=sources,
        findings=findings,
        quarantine=quarantine,
        crop_of=given.crop_of,
        remark=given.remark,
        seconds=time.perf_counter() - began,
        num_workers=workers,
    )


def check_outputs(out: Sequence[str], quarantine: str | None) -> None:
    """Check before the work that its outcome can be written.

    Raises:
        ConfigError: an ending that means no format, or jinja2 is missing.
        DataError: a file cannot be written, or is a quarantine list that is there already.
    """
    endings = [checked_ending(each, OUT_ENDINGS) for each in out]
    if ".html" in endings:
        need_jinja2()
    if quarantine is not None and not quarantine.lower().endswith(".csv"):
        raise ConfigError(f"--quarantine '{quarantine}' must end in .csv: it is a table of path and reason")
    if quarantine is not None and os.path.lexists(quarantine):
        raise DataError(f"'{quarantine}' is there, and may have been edited; name another file, or delete it")


def write_outputs(report: DoctorReport, out: Sequence[str], quarantine: str | None) -> None:
    """Write what was found into files, by their endings, and the list of what had better be left out.

    Raises:
        DataError: a file cannot be written.
        DiskError: the disk is full or fails.
    """
    for path in out:
        if checked_ending(path, OUT_ENDINGS) == ".json":
            write_json(path, report.as_dict())
            continue
        with published(path) as file:
            file.write(doctor_page(report).encode())
    if quarantine is not None:
        write_quarantine(quarantine, report.quarantine)
