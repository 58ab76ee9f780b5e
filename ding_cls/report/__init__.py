"""Pictures and pages of what a run wrote down; it must not know networks, policies or configs."""

from ding_cls.report.curves import draw_curves, draw_runs, read_rows, save_figure
from ding_cls.report.page import render_page
from ding_cls.report.records import (
    ClassScores,
    ConfigLine,
    JudgedSamples,
    LabelIssue,
    Reliability,
    ReportRecord,
    worst_mistakes,
    worth_showing,
)
from ding_cls.report.report_page import write_report_page

__all__ = [
    "ClassScores",
    "ConfigLine",
    "JudgedSamples",
    "LabelIssue",
    "Reliability",
    "ReportRecord",
    "draw_curves",
    "draw_runs",
    "read_rows",
    "render_page",
    "save_figure",
    "worst_mistakes",
    "worth_showing",
    "write_report_page",
]
