"""The kill campaign: runs that are killed at random, resumed, and compared with uninterrupted ones.

    python benchmarks/kills.py --write

trains each mixture of options once without a fault, and then again and again under SIGKILL at random
instants, some of them inside a save, an evaluation or the start, several in a row, until it is finished; and
under signals to stop, whatever has become of the terminal. What is left must be equal to the last bit, and
nothing that was saved may be lost. Every bound that is missed is printed, and the exit code is 1.
``--sabotage NAME`` breaks one thing on purpose: then it must be 1. With ``--write`` the figures go into
``docs/reliability.md``.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Two cores and tiny tensors; it must be set before torch is imported, and the processes below inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from kill_campaign.campaign import SABOTAGES, Campaign, missed_sabotages
from kill_campaign.figures import kill_lines, stop_lines, write_block
from kill_campaign.mixtures import MIXTURES
from kill_campaign.stops import STOPS

KILLS, NUM_STOPS = 90, sum(each.count for each in STOPS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign, and return 1 where a bound was missed."""
    parser = argparse.ArgumentParser(description="kill and stop runs, resume them, compare every bit")
    parser.add_argument("--kills", type=int, default=KILLS, help="0: none")
    parser.add_argument("--stops", type=int, default=NUM_STOPS, help="0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="abc", help="letters of the mixtures")
    parser.add_argument(
        "--sabotage", choices=SABOTAGES, default="", help="break this on purpose: exit code 1"
    )
    parser.add_argument("--folder", type=Path, help="an empty folder that stays; else a temporary one")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/reliability.md")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    # A job in the background of a shell is started deaf to Ctrl-C, and so would be what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # So is one of nohup to a closed terminal.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    mixtures = [each for each in MIXTURES if each.key in arguments.only]
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(folder, seed=arguments.seed, sabotage=arguments.sabotage)
        if arguments.kills:
            figures = campaign.kill(mixtures, arguments.kills)
            missed = [] if arguments.sabotage else missed_sabotages()
            lines = kill_lines(figures, f"{len(SABOTAGES) - len(missed)} of {len(SABOTAGES)}")
            print("\n".join(lines), f"\n{figures.seconds:.0f} s", flush=True)
            failures += [*figures.failures, *(f"the sabotage {each} was not found" for each in missed)]
            if arguments.write:
                write_block("kills", lines, figures.seconds)
        if arguments.stops:
            figures = campaign.stop(mixtures, arguments.stops)
            print("\n".join(stop_lines(figures)), f"\n{figures.seconds:.0f} s", flush=True)
            failures += figures.failures
            if arguments.write:
                write_block("stops", stop_lines(figures), figures.seconds)
    print(f"{len(failures)} bounds were missed" if failures else "all bounds hold")
    for each in failures:
        print(f"  {each}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
