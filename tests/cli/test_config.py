"""``config show | diff | lint`` and ``hooks``: what they print, and their exit codes."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ding_cls.cli import main
from ding_cls.config import read_config
from ding_cls.config.tools.lint import RULES

ASSETS = Path(__file__).parents[1] / "config" / "assets" / "mm" / "resnet"
EIGHT = str(ASSETS / "resnet18_8xb32_in1k.py")

NATIVE = """\
exp_name = "mine"
policy = dict(learn=dict(batch_size=8, train_epoch=5, lr_schedule="cosine"))
"""
SECOND = """\
work_dir = "theirs"
data = dict(train_dataloader=dict(samples_per_gpu=8))
total_epochs = 5
"""

Types = Callable[..., tuple[int, str, str]]


@pytest.fixture
def types(workdir: Path, capsys: pytest.CaptureFixture[str]) -> Types:
    """Type a command; its exit code and what it printed, in a folder with two configs."""
    Path("native.py").write_text(NATIVE)
    Path("second.py").write_text(SECOND)

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(argv)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_config_alone_prints_its_help(types: Types) -> None:
    code, out, err = types("config")
    assert (code, err) == (2, "")
    assert out.startswith("usage: ding-cls config ")
    for action in ("show", "convert", "diff", "lint"):
        assert f"\n    {action} " in out


def test_show_prints_what_the_file_says_with_overrides(types: Types) -> None:
    assert types("config", "show", "native.py", "policy.learn.batch_size=16") == (
        0,
        "exp_name = 'mine'              # native.py:1\n"
        "policy = dict(\n"
        "    learn=dict(\n"
        "        batch_size=16,         # override policy.learn.batch_size=16\n"
        "        train_epoch=5,         # native.py:2\n"
        "        lr_schedule='cosine',  # native.py:2\n"
        "    ),\n"
        ")\n",
        "",
    )


def test_show_keeps_the_second_spelling_and_full_translates_it(types: Types, tmp_path: Path) -> None:
    code, out, _ = types("config", "show", "second.py", "--cfg-options", "total_epochs=6")
    assert code == 0
    assert "total_epochs = 6                                       # override total_epochs=6" in out
    code, out, _ = types("config", "show", "--full", "second.py", "--cfg-options", "total_epochs=6")
    lines = {line.strip().partition("=")[0]: line for line in out.splitlines()}
    assert lines["train_epoch"].endswith("# override total_epochs=6")
    assert lines["exp_name "].endswith("# second.py:1")
    assert lines["momentum"].endswith("# default")
    copy = tmp_path / "copy.py"
    copy.write_text(out)
    assert read_config(copy).policy.learn.train_epoch == 6


def test_show_shows_a_config_that_cannot_be_used_and_full_says_why(types: Types) -> None:
    word = "policy.learn.lr_rate=1"
    assert "lr_rate=1, " in types("config", "show", "native.py", word)[1]
    code, out, err = types("config", "show", "native.py", word, "--full")
    assert (code, out) == (2, "")
    assert err.startswith("error: policy.learn.lr_rate is not a known key")


def test_diff_says_whether_two_configs_make_two_runs(types: Types) -> None:
    assert types("config", "diff", "native.py", "native.py", "exp_name=another") == (
        0,
        "no difference (exp_name is not compared)\n",
        "",
    )
    assert types("config", "diff", "native.py", "native.py", "policy.learn.train_epoch=6") == (
        1,
        "- native.py\n+ native.py\n\n"
        "policy.learn.train_epoch\n"
        "  - 5  # native.py:2\n"
        "  + 6  # override policy.learn.train_epoch=6\n",
        "",
    )
    code, out, err = types("config", "diff", "native.py", "nowhere.py")
    assert (code, out) == (2, "")
    assert err == "error: config file nowhere.py cannot be read: No such file or directory\n"
    assert types("config", "diff", "native.py")[::2] == (
        2,
        "error: say which two configs to compare, files or runs' folders; given were 1\n",
    )


def test_both_spellings_of_one_run_are_equal(types: Types) -> None:
    Path("same.py").write_text(
        "policy = dict(learn=dict(batch_size=8, train_epoch=5, lr_schedule='constant', warmup_epoch=0), "
        "eval=dict(evaluator=dict(eval_freq=1)))\n"
    )
    assert types("config", "diff", "same.py", "second.py")[0] == 0


def test_convert_prints_the_native_file(types: Types) -> None:
    code, text, err = types("config", "convert", "second.py", "total_epochs=6")
    assert (code, err) == (0, "")
    Path("converted.py").write_text(text)
    assert types("config", "diff", "converted.py", "second.py", "total_epochs=6")[0] == 0
    assert read_config("converted.py").policy.learn.train_epoch == 6
    Path("mixed.py").write_text(SECOND + "policy = dict(cuda=False)\n")
    code, text, err = types("config", "convert", "mixed.py")
    assert (code, text) == (2, "")
    assert err.startswith(
        "error: work_dir (mixed.py:1) and policy (mixed.py:4) are two spellings in one config"
    )


def test_a_runs_folder_is_compared_with_the_file_it_came_from(types: Types) -> None:
    words = ["--synthetic", "policy.collect.image_size=32", "policy.collect.resize_size=32"]
    words += ["policy.collect.synthetic_samples=8", "policy.collect.synthetic_eval_samples=4"]
    words += ["policy.model.name=squeezenet1_1", "policy.model.num_classes=3", "policy.learn.train_epoch=0"]
    words += ["policy.learn.learner.dataloader.num_workers=0", "policy.cuda=False"]
    assert types("train", "native.py", *words, "--work-dir", "runs/lr=0.1")[0] == 0
    assert read_config("runs/lr=0.1/total_config.py").exp_name == "runs/lr=0.1"
    typed = ["policy.collect.synthetic=True", *words[1:]]
    assert types("config", "diff", "runs/lr=0.1", "native.py", *typed)[0] == 0
    code, out, _ = types("config", "diff", "runs/lr=0.1", "native.py", *typed[:-1])
    assert code == 1
    assert out.splitlines()[3:] == [
        "policy.cuda",
        f"  - False   # {out.splitlines()[4].partition('# ')[2]}",
        "  + 'auto'  # default",
    ]
    assert types("config", "show", "runs/lr=0.1")[1].startswith("exp_name = 'runs/lr=0.1' ")


def test_lint_names_each_trap_and_its_line(types: Types) -> None:
    assert types("config", "lint", "native.py") == (0, f"native.py: none of {len(RULES)} known traps\n", "")
    code, out, err = types("config", "lint", "native.py", "policy.learn.train_epoch=3")
    assert (code, err) == (1, "")
    (line,) = out.splitlines()
    assert line.startswith("override policy.learn.train_epoch=3: warmup-too-long: policy.learn.train_epoch: ")
    code, out, err = types(
        "config", "lint", "native.py", "policy.learn.train_epoch=3", "policy.optimiser.x=1"
    )
    assert (code, len(out.splitlines())) == (2, 1)
    assert err.startswith("error: policy.optimiser is not a known key; did you mean policy.learn.optimizer?")


def test_lint_says_what_looks_at_data(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["config", "lint", "native.py", "--data", "my pets"])
    typed = "ding-cls train native.py --data 'my pets' --dry-run"
    assert capsys.readouterr().err.endswith(f"for the same with the data: {typed}\n")


def test_lint_is_told_how_many_processes_will_train(types: Types) -> None:
    code, out, _ = types("config", "lint", EIGHT)
    assert code == 1
    assert "; set policy.learn.learning_rate=0.0125, or train with 8 processes" in out
    assert types("config", "lint", EIGHT, "--processes", "8")[0] == 0
    assert types("config", "lint", EIGHT, "policy.learn.learning_rate=0.0125")[0] == 0
    assert types("config", "lint", EIGHT, "--processes", "0")[::2] == (
        2,
        "error: --processes 0 must be at least 1\n",
    )


@pytest.mark.parametrize("verb", [["config", "show"], ["config", "lint"], ["hooks"]])
def test_a_file_is_needed_and_only_one(types: Types, verb: list[str]) -> None:
    assert types(*verb)[::2] == (2, "error: say which config: a file, or a run's folder\n")
    assert types(*verb, "a.py", "b.py")[::2] == (
        2,
        "error: one config file at a time; given were a.py, b.py\n",
    )
    (Path.cwd() / "empty").mkdir()
    assert types(*verb, "empty")[::2] == (
        2,
        "error: 'empty' is no run's folder: there is no total_config.py in it\n",
    )


def test_the_users_code_runs_only_with_leave_and_never_to_look_at_a_config(types: Types) -> None:
    Path("their_hooks.py").write_text(
        "from ding_cls.worker import HOOKS\n\nprint('it ran')\n\n\n"
        "@HOOKS.register_module(force=True)\nclass TheirHook:\n"
        "    def after_train_epoch(self, runner):\n        pass\n"
    )
    Path("theirs.py").write_text(
        "custom_imports = dict(imports='their_hooks')\n"
        "custom_hooks = [dict(type='TheirHook', priority='LOW')]\ndata = dict(samples_per_gpu=8)\n"
    )
    assert types("config", "show", "theirs.py")[0] == 0
    assert types("config", "show", "theirs.py", "--full")[0] == 0
    assert types("config", "diff", "theirs.py", "theirs.py")[0] == 0
    assert types("config", "lint", "theirs.py")[0] == 0
    refusal = (
        "error: custom_imports wants to import their_hooks: code runs only with --allow-code "
        "(in Python: allow_code=True); look at it first, then add the flag\n"
    )
    for verb in (["hooks"], ["train", "--synthetic"], ["train", "--synthetic", "--dry-run"]):
        assert types(*verb, "theirs.py") == (2, "", refusal)
    code, out, _ = types("hooks", "theirs.py", "--allow-code")
    assert code == 0
    assert (
        "after_epoch   20        save_ckpt_after_epoch      SaveCkptHook\n"
        "              70 LOW    TheirHook                  TheirHook\n"
    ) in out
    assert out.startswith("it ran\n")
    del sys.modules["their_hooks"]


def test_cfg_options_are_overrides_wherever_they_stand(types: Types) -> None:
    want = types("config", "show", "native.py", "seed=1", "policy.learn.batch_size=16")[1]
    for argv in (
        ["native.py", "--cfg-options", "seed=1", "policy.learn.batch_size=16"],
        ["--cfg-options", "seed=1", "policy.learn.batch_size=16", "--debug", "native.py"],
        ["native.py", "--cfg-options", "seed=1", "--cfg-options", "policy.learn.batch_size=16"],
        ["native.py", "seed=2", "--cfg-options", "seed=1", "policy.learn.batch_size=16"],
        # Nothing but a word with '=' is an option: what follows may be the file.
        ["--cfg-options", "seed=1", "policy.learn.batch_size=16", "native.py"],
    ):
        assert types("config", "show", *argv) == (0, want, "")


def test_a_reader_that_has_seen_enough_is_no_error(workdir: Path) -> None:
    Path("long.py").write_text("main_config = dict(env={f'k{n}': n for n in range(5000)})\n")
    command = f"{shlex.quote(sys.executable)} -m ding_cls config show long.py | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("env = dict(\n", "")


@pytest.mark.parametrize(
    "argv", [["config", "show", "native.py"], ["config", "lint", "native.py"], ["hooks", "--help"]]
)
def test_looking_at_a_config_does_not_import_torch(types: Types, argv: list[str]) -> None:
    program = (
        "import sys\nfrom ding_cls.cli import main\n"
        f"try:\n    main({argv})\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'rich'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
