"""Pictures and pages of what a run wrote down; it must not know networks, policies or configs."""

from ding_cls.report.curves import draw_curves, draw_runs, read_rows, save_figure

__all__ = ["draw_curves", "draw_runs", "read_rows", "save_figure"]
