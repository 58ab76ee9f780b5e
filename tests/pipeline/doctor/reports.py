"""A report without files, as a test describes it."""

import numpy as np

from ding_cls.data.tools.doctor.findings import Data, Finding, Sample, Shown, Split
from ding_cls.data.tools.doctor.look import ImageLook
from ding_cls.pipeline.doctor.report import DoctorReport


def report_of(*findings: Finding) -> DoctorReport:
    """Return the report of three images, of which class y has none."""
    pixels = np.full((8, 8, 3), 9, np.uint8)
    samples = [Sample("train", f"data/train/x/{number}.png", ("x",), number) for number in range(3)]
    data = Data([Split("train", ("x", "y"))], samples, [ImageLook(width=8, height=8)] * 3)
    return DoctorReport("data", data, [pixels, None, "data/gone.png"], findings, [], "a crop", "", 0.5, 0)


def shown(number: int, note: str = "") -> Shown:
    """Return the sample of that number with a note."""
    return Shown(Sample("train", f"data/train/x/{number}.png", ("x",), number), note)
