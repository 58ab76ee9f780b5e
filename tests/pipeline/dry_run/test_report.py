"""The lines of a dry run's report."""

import math
from dataclasses import replace
from typing import Any

import pytest

from ding_cls.pipeline.dry_run.report import DryRun, Timing, print_dry_run


def report(**changes: Any) -> DryRun:
    whole = DryRun(
        run_folder="runs/pets",
        num_train=12_800,
        num_eval=500,
        num_classes=10,
        num_left_out=0,
        shapes={"logits": "float32 (32, 10)"},
        num_parameters=11_181_642,
        num_trainable=5_130,
        loss=2.4,
        expected_loss=math.log(10),
        train_timing=Timing(0.01, 0.09, 5),
        eval_timing=Timing(0.01, 0.04, 5),
        memory_bytes=1_500_000_000,
        memory_kind="of the GPU at most",
        updates_per_epoch=400,
        num_updates=36_000,
        num_evaluations=91,
        eval_batches=16,
        batch_sizes=(32, 32),
        learning_rates=((0, 0.001), (400, 0.1), (35_999, 1e-8)),
        checkpoint_bytes=89_500_000,
        num_checkpoints=4,
        free_bytes=60_000_000_000,
        remarks=(),
    )
    return replace(whole, **changes)


def test_a_report_is_a_line_for_each_thing(capsys: pytest.CaptureFixture[str]) -> None:
    print_dry_run(report(remarks=("this", "that")))
    assert (
        capsys.readouterr().out
        == """\
run folder:    runs/pets (nothing is written to it now)
samples:       12,800 to train on, 500 to evaluate, 10 classes
logits:        float32 (32, 10)
parameters:    11,181,642, of which 5,130 are trained
first loss:    2.4000; guessing costs ln(10) = 2.3026
updates:       36,000, 400 an epoch with 32 images each
learning rate: 0.001 at first, 0.1 at most (update 400), 1e-08 at last
one update:    100 ms = data 10 ms + step 90 ms (from 5 of them)
evaluation:    91 times 16 batches, a batch 50 ms = data 10 ms + forward 40 ms (from 5 of them)
time in all:   about 1 h 1 min, without saving and starting
memory:        1.5 GB of the GPU at most
checkpoints:   4 x 89.5 MB = 358 MB; 60 GB are free
look at this:  this
look at this:  that
"""
    )


def test_what_is_not_known_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_dry_run(
        report(expected_loss=None, batch_sizes=(31, 32), num_left_out=7, eval_timing=Timing(1.0, 2.0, 0))
    )
    lines = capsys.readouterr().out.splitlines()
    assert "first loss:    2.4000" in lines
    assert (
        "updates:       36,000, 400 an epoch with 31 or 32 images each, 7 left out of each, always others"
        in lines
    )
    assert lines[8].endswith("(from one, starting up included)")


def test_recipe_input_and_opened_images_are_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_dry_run(report(recipe="r.py: all layers", input="input as declared for x: a=1", was_checked=True))
    assert capsys.readouterr().out.splitlines()[:4] == [
        "run folder:    runs/pets (nothing is written to it now)",
        "recipe:        r.py: all layers",
        "input:         as declared for x: a=1",
        "samples:       12,800 to train on, 500 to evaluate, 10 classes; each was opened",
    ]


def test_seconds_are_those_of_updates_and_evaluations() -> None:
    assert report().seconds == pytest.approx(36_000 * 0.1 + 91 * 16 * 0.05)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"num_updates": 10, "num_evaluations": 0}, "time in all:   about 1 s, without saving and starting"),
        ({"num_updates": 3_600_000, "num_evaluations": 0}, "time in all:   about 4 d 4 h, without"),
        ({"memory_bytes": 999}, "memory:        999 B of the GPU at most"),
        ({"checkpoint_bytes": 2_500_000_000_000}, "checkpoints:   4 x 2.5 TB = 10.0 TB; 60 GB are free"),
        ({"expected_loss": 10 * math.log(2)}, "first loss:    2.4000; guessing costs 10 ln(2) = 6.9315"),
    ],
)
def test_numbers_have_the_units_that_fit(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], line: str
) -> None:
    print_dry_run(report(**changes))
    assert any(each.startswith(line) for each in capsys.readouterr().out.splitlines())
