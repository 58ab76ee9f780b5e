"""Pictures and pages of what a run wrote down; it must not know networks, policies or configs."""

from ding_cls.report.curves import draw_curves, read_rows

__all__ = ["draw_curves", "read_rows"]
