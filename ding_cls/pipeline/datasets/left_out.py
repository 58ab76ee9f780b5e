"""The lines about the files of data that are no samples: in train, eval and kfold."""

import logging
from collections.abc import Iterator
from typing import Any

from ding_cls.common.command import is_part_of_whole
from ding_cls.common.process import launched_rank
from ding_cls.data import innermost
from ding_cls.data.tools.quarantine import quarantine_line
from ding_cls.images.left_out import left_out_line

_LOGGER = logging.getLogger(__name__)


def warn_left_out(*datasets: Any, logger: logging.Logger = _LOGGER, is_whole: bool = False) -> None:
    """Warn of files that the folders of datasets hold beside the samples, once for each folder.

    What a quarantine list leaves out is counted too.

    Args:
        datasets: any; those that list folders have an attribute ``left_out``.
        logger: who says it.
        is_whole: they are those of a whole cross-validation, whose runs and evaluations do not repeat it.
    """
    if launched_rank() > 0 or (is_part_of_whole() and not is_whole):
        return
    for line in dict.fromkeys(line for each in datasets for line in _lines(each)):
        logger.warning(line)
    if line := quarantine_line(datasets):
        logger.warning(line)


def _lines(dataset: Any) -> Iterator[str]:
    for each in innermost(dataset):
        left_out = getattr(each, "left_out", None)
        if left_out:
            root = getattr(each, "root", None) or getattr(each, "data_prefix", "")
            yield left_out_line(str(root), left_out)
