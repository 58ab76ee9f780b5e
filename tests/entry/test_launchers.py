"""The shell doors, with a Python that only writes down what it was asked: no network, nothing installed."""

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*(ROOT / "entry").glob("*.sh"), ROOT / ".ci/run"])
POSIX_SCRIPTS = sorted(
    path
    for path in SCRIPTS
    if path.name in ("train.sh", "evaluate.sh", "inference.sh", "export_onnx.sh") or path.name[0] == "_"
)
DOORS = sorted((ROOT / "entry").glob("*.py"))
TOOLS = ("bash", "sh", "dirname", "cat", "cksum", "tail", "find", "getconf", "mkdir", "cp", "sed")

# Answers what the set-up asks a Python, and writes every other call to $RECORD.
FAKE_PYTHON = """\
#!/bin/bash
case "$1 $2" in
"-c "*version_info*) echo "${FAKE_VERSION:-3.12.1}"; [[ ${FAKE_VERSION:-3.12.1} > 3.10.99 ]]; exit ;;
"-c import venv, ensurepip") exit "${FAKE_NO_VENV:-0}" ;;
"-c import pip") exit "${FAKE_NO_PIP:-0}" ;;
"- ") exit "${FAKE_NO_TORCH:-0}" ;;
"-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
"-m pip") echo "line of pip"; echo "the reason" ;;
esac
# At once: another may be writing.
printf -v arguments '\\t%s' "$@"
printf '%s\\n' "$PWD$arguments" >>"$RECORD"
for each in $FAKE_FAILING; do if [[ "$1 $2" == "-m $each" ]]; then exit 1; fi; done
exit 0
"""


@dataclass
class Checkout:
    """A copy of the launchers in a folder with a space in its name, and a PATH with nothing else on it."""

    folder: Path
    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def record(self) -> Path:
        return self.folder.parent / "calls"

    def run(self, *command: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run ``SHELL entry/SCRIPT ARGUMENT ...``; the script is named by its full path."""
        shell, script, *arguments = command
        return subprocess.run(
            [shell, str(self.folder / script), *arguments],
            env={"PATH": str(self.path), "RECORD": str(self.record)} | self.environ | environ,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def calls(self) -> list[tuple[str, list[str]]]:
        """Return the folder and the arguments of each call since the last time this was asked."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().splitlines()
        self.record.unlink()
        return [(folder, arguments) for folder, *arguments in (line.split("\t") for line in lines)]


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """No environment is active and no Python on PATH."""
    folder = tmp_path / "check out"
    shutil.copytree(ROOT / "entry", folder / "entry")
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "ding_cls").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        write_program(tmp_path / "tools" / tool, f'#!/bin/sh\nexec {found} "$@"\n')
    return Checkout(folder, tmp_path / "tools")


@pytest.fixture
def active(bare: Checkout) -> Checkout:
    """An active virtual environment with a new Python."""
    environment = bare.folder.parent / "an env"
    write_program(environment / "bin/python", FAKE_PYTHON)
    write_program(environment / "bin/lint-imports", '#!/bin/bash\n"${0%/*}/python" -m lint-imports\n')
    bare.environ["VIRTUAL_ENV"] = str(environment)
    return bare


def installed(calls: list[tuple[str, list[str]]]) -> list[str]:
    return [arguments[-1] for _, arguments in calls if arguments[:3] == ["-m", "pip", "install"]]


# -- the files themselves


def test_there_are_as_many_launchers_as_expected() -> None:
    assert len(SCRIPTS) >= 10
    names = ["_setup.sh", "_torchrun.sh", "evaluate.sh", "export_onnx.sh", "inference.sh", "train.sh"]
    assert [path.name for path in POSIX_SCRIPTS] == names
    assert len(DOORS) >= 2


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bash_can_read_it_and_it_removes_nothing(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text().replace('rm -f "$DING_CLS_STOP_MARK"', "")  # a file of its own
    assert not re.search(r"(^|[;&|(]|\bexec\b)\s*(rm|rmdir|unlink|truncate)\b|-delete\b", text, re.M)


@pytest.mark.parametrize("script", POSIX_SCRIPTS, ids=lambda path: path.name)
def test_a_plain_shell_can_read_it(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.parametrize(
    "script", [each for each in SCRIPTS if each.name[0] != "_"], ids=lambda path: path.name
)
def test_it_stops_at_errors_and_is_executable(script: Path) -> None:
    assert "\nset -eu\n" in script.read_text()
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("door", DOORS, ids=lambda path: path.name)
def test_a_door_is_one_import_and_one_call(door: Path) -> None:
    text = door.read_text()
    assert len(text.splitlines()) <= 10
    body = ast.parse(text).body
    ours = [node for node in body if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in ours] == ["ding_cls.cli"]


# -- finding and making an environment


def test_an_old_python_is_named_with_what_to_do(bare: Checkout) -> None:
    write_program(bare.path / "python3", FAKE_PYTHON)
    result = bare.run("bash", "entry/demo.sh", FAKE_VERSION="3.08.10")
    assert result.returncode == 2
    assert f"needs Python 3.11 or newer; found {bare.path}/python3 is 3.08.10" in result.stderr
    assert "apt install" in result.stderr
    assert not (bare.folder / ".venv").exists()


def test_no_python_at_all_is_said(bare: Checkout) -> None:
    result = bare.run("bash", "entry/test.sh")
    assert result.returncode == 2
    assert "found no python on PATH" in result.stderr


def test_an_old_active_environment_is_named(active: Checkout) -> None:
    result = active.run("sh", "entry/train.sh", FAKE_VERSION="3.09.2")
    assert result.returncode == 2
    assert f"the active environment {active.environ['VIRTUAL_ENV']} has 3.09.2" in result.stderr


def test_an_active_environment_that_is_gone_is_named(bare: Checkout) -> None:
    result = bare.run("bash", "entry/demo.sh", VIRTUAL_ENV="/gone")
    assert result.returncode == 2
    assert "the active environment /gone has no bin/python" in result.stderr


def test_a_python_without_venv_names_the_package(bare: Checkout) -> None:
    write_program(bare.path / "python3", FAKE_PYTHON)
    result = bare.run("bash", "entry/demo.sh", FAKE_NO_VENV="1")
    assert result.returncode == 2
    assert "apt install python3-venv" in result.stderr
    assert not (bare.folder / ".venv").exists()


def test_without_an_active_environment_one_is_made_in_the_checkout(bare: Checkout, tmp_path: Path) -> None:
    write_program(bare.path / "python3", FAKE_PYTHON)
    result = bare.run("bash", "entry/demo.sh", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (_, venv), *rest = bare.calls()
    assert venv == ["-m", "venv", f"{bare.folder}/.venv"]
    assert installed(rest) == ["."]
    assert bare.run("bash", "entry/demo.sh").returncode == 0
    assert [arguments[:2] for _, arguments in bare.calls()] == [rest[-1][1][:2]], "the second time only runs"


def test_a_named_base_python_may_have_a_space_in_its_path(bare: Checkout) -> None:
    python = write_program(bare.folder / "py 3/python", FAKE_PYTHON)
    assert bare.run("bash", "entry/demo.sh", BASE_PYTHON=str(python)).returncode == 0
    assert installed(bare.calls()) == ["."]


def test_a_conda_environment_counts_as_active(active: Checkout) -> None:
    active.environ["CONDA_PREFIX"] = active.environ.pop("VIRTUAL_ENV")
    assert active.run("bash", "entry/demo.sh").returncode == 0
    assert installed(active.calls()) == ["."]
    assert not (active.folder / ".venv").exists()


def test_it_installs_again_only_when_something_changed(active: Checkout) -> None:
    first = active.run("bash", "entry/demo.sh")
    assert "takes some minutes" in first.stdout
    assert installed(active.calls()) == ["."]
    assert "minutes" not in active.run("bash", "entry/demo.sh").stdout
    assert installed(active.calls()) == []
    active.run("bash", "entry/test.sh")
    assert installed(active.calls()) == [".[dev]"]
    with (active.folder / "pyproject.toml").open("a") as project:
        project.write("# a new dependency\n")
    active.run("bash", "entry/test.sh")
    active.run("bash", "entry/demo.sh")
    assert installed(active.calls()) == [".[dev]"], "the tests' set-up contains the demo's"


def test_pip_is_seen_while_it_installs(active: Checkout) -> None:
    result = active.run("bash", "entry/demo.sh")
    assert "line of pip" in result.stdout.splitlines()
    (pip,) = [arguments for _, arguments in active.calls() if arguments[:3] == ["-m", "pip", "install"]]
    log = str(Path(active.environ["VIRTUAL_ENV"], "ding_cls_install.log"))
    assert pip == ["-m", "pip", "install", "--log", log, "-e", "."]
    assert "line of pip" not in active.run("bash", "entry/demo.sh").stdout, "nothing is installed: no word"


def test_a_failed_installation_shows_pips_last_lines_and_is_tried_again(active: Checkout) -> None:
    result = active.run("bash", "entry/demo.sh", FAKE_FAILING="pip")
    assert result.returncode == 2
    assert "the reason" in result.stdout
    assert "ding_cls_install.log" in result.stderr
    assert installed(active.calls()) == ["."]
    assert active.run("bash", "entry/demo.sh").returncode == 0
    assert installed(active.calls()) == ["."]


# -- what each launcher starts


def test_the_demo_runs_the_main_job_in_the_checkout(active: Checkout, tmp_path: Path) -> None:
    (tmp_path / "my photos").mkdir()
    arguments = ["--data", "my photos", "--seed", "1", "policy.learn.batch_size=8"]
    assert active.run("bash", "entry/demo.sh", *arguments, cwd=tmp_path).returncode == 0
    folder, call = active.calls()[-1]
    assert folder == str(active.folder)
    assert call[:2] == ["-m", "dizoo.image_classification.entry.imagenet_res18_main"]
    assert call[2:] == ["--data", f"{tmp_path}/my photos", *arguments[2:]]


PYTEST = ["-rs", "--durations", "25", "-o", "tmp_path_retention_policy=failed"]
PYTEST += ["--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal"]


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ([], ["-m", "not slow and not campaign and not gpu and not slurm"]),
        (["-k", "resume"], ["-m", "not slow and not campaign and not gpu and not slurm", "-k", "resume"]),
        (["--ci", "-x"], ["-m", "not campaign and not gpu", "-x"]),
        (["--all"], []),
    ],
)
def test_the_tiers_of_the_tests(active: Checkout, tier: list[str], expected: list[str]) -> None:
    result = active.run("bash", "entry/test.sh", *tier)
    assert result.returncode == 0, result.stderr
    assert "all passed" in result.stdout
    modules = modules_of(active)
    # mypy and lint-imports run beside the others.
    assert sorted(modules) == ["codespell_lib", "lint-imports", "mypy", "pip", "pytest", "ruff"]
    assert modules["pytest"] == [*PYTEST, *expected]
    assert modules["codespell_lib"] == ["ding_cls", "entry"]


def modules_of(checkout: Checkout) -> dict[str, list[str]]:
    """Return the arguments of each module that was run."""
    return {arguments[1]: arguments[2:] for _, arguments in checkout.calls()}


@pytest.mark.parametrize("failing", ["mypy pytest", "pytest", "mypy"])
def test_every_step_runs_and_the_failed_ones_are_named(active: Checkout, failing: str) -> None:
    result = active.run("bash", "entry/test.sh", FAKE_FAILING=failing)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == f"FAILED: {' '.join(sorted(failing.split(), reverse=True))}"
    assert "pytest" in modules_of(active)


@pytest.mark.parametrize("has_data", [True, False])
def test_the_projects_own_checks_are_the_wider_tier(active: Checkout, has_data: bool, tmp_path: Path) -> None:
    data = tmp_path / "shared/data"
    if has_data:
        data.mkdir(parents=True)
    seen = write_program(
        tmp_path / "an env/bin/python",
        FAKE_PYTHON.replace("exit 0\n", 'echo "data=$DING_TEST_DATA"\n'),
    )
    assert seen.exists()
    result = active.run("bash", ".ci/run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert modules_of(active)["pytest"] == [*PYTEST, "-m", "not campaign and not gpu"]
    assert f"data={data if has_data else ''}\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["--synthetic", "--epochs", "1"]),
        (["3"], ["--synthetic", "--epochs", "3"]),
        (
            ["3", "", "policy.learn.batch_size=4"],
            ["--synthetic", "--epochs", "3", "policy.learn.batch_size=4"],
        ),
        (["", "a b"], ["--data", "a b", "--epochs", "90"]),
        (["2", "a b", "--seed", "1"], ["--data", "a b", "--epochs", "2", "--seed", "1"]),
    ],
)
def test_train_sh(active: Checkout, tmp_path: Path, arguments: list[str], expected: list[str]) -> None:
    result = active.run("sh", "entry/train.sh", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert active.calls() == [
        (str(tmp_path), ["-m", "ding_cls", "train", "--model", "resnet50", *expected])
    ], "it runs in the caller's folder and installs nothing where nothing is missing"
    assert (result.stdout == "Loading synthetic data.\n") == ("--synthetic" in expected)


def test_train_sh_with_a_folder_in_the_place_of_the_epochs(active: Checkout) -> None:
    result = active.run("sh", "entry/train.sh", "flowers")
    assert result.returncode == 2
    assert "EPOCHS must be a whole number, not 'flowers'" in result.stderr
    assert active.calls() == []


def test_train_sh_sets_up_where_something_is_missing(active: Checkout) -> None:
    assert active.run("sh", "entry/train.sh", FAKE_NO_TORCH="1").returncode == 0
    assert installed(active.calls()) == ["."]


def test_evaluate_sh_takes_the_newest_best_checkpoint_and_says_so(active: Checkout, tmp_path: Path) -> None:
    by_hand = tmp_path / "work" / "by_hand" / "ckpt"
    by_hand.mkdir(parents=True)
    (by_hand / "ckpt_best.pth.tar").touch()
    for age, run in [(300, "old run"), (100, "newest run"), (200, "older"), (0, ".hidden")]:
        best = tmp_path / "work" / run / "ckpt/ckpt_best.pth.tar"
        best.parent.mkdir(parents=True)
        best.touch()
        (best.parents[1] / "total_config.py").touch()
        os.utime(best, (1e9 - age, 1e9 - age))
    result = active.run("sh", "entry/evaluate.sh", cwd=tmp_path / "work")
    taken = "./newest run/ckpt/ckpt_best.pth.tar"
    assert result.stdout == f"Evaluating the newest best checkpoint here: {taken}\n"
    assert active.calls()[-1][1] == ["-m", "ding_cls", "eval", taken]


def test_evaluate_sh_with_everything_named(active: Checkout) -> None:
    assert active.run("sh", "entry/evaluate.sh", "a b.pth.tar", "d e", "--split", "test").stdout == ""
    expected = ["-m", "ding_cls", "eval", "a b.pth.tar", "--data", "d e", "--split", "test"]
    assert active.calls()[-1][1] == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["a=b.pth.tar", "policy.eval.batch_size=3"], ["a=b.pth.tar", "policy.eval.batch_size=3"]),
        (["run", "--out", "r.csv", "--wrong", "5"], ["run", "--out", "r.csv", "--wrong", "5"]),
        (["run", "", "--metric", "f1"], ["run", "--metric", "f1"]),
        (["--metric", "f1"], ["./run/ckpt/ckpt_best.pth.tar", "--metric", "f1"]),
        (["policy.cuda=False"], ["./run/ckpt/ckpt_best.pth.tar", "policy.cuda=False"]),
    ],
)
def test_evaluate_sh_passes_options_and_values_on(
    active: Checkout, tmp_path: Path, given: list[str], told: list[str]
) -> None:
    (tmp_path / "run/ckpt").mkdir(parents=True)
    for name in ("run/ckpt/ckpt_best.pth.tar", "run/total_config.py", "a=b.pth.tar"):
        (tmp_path / name).touch()
    assert active.run("sh", "entry/evaluate.sh", *given, cwd=tmp_path).returncode == 0
    assert active.calls()[-1][1] == ["-m", "ding_cls", "eval", *told]


def test_evaluate_sh_without_any_checkpoint_says_what_to_do(active: Checkout, tmp_path: Path) -> None:
    result = active.run("sh", "entry/evaluate.sh", cwd=tmp_path)
    assert result.returncode == 2
    assert f"no ckpt/ckpt_best.pth.tar lies below {tmp_path}; train first" in result.stderr


def test_inference_sh_with_everything_named(active: Checkout) -> None:
    assert active.run("sh", "entry/inference.sh", "a run", "in/*.jpg", "--out", "p.csv").stdout == ""
    assert active.calls()[-1][1] == [
        *("-m", "ding_cls", "predict", "a run", "--topk", "1", "in/*.jpg", "--out", "p.csv")
    ]


def demo_runs(work: Path) -> None:
    """Lay out two runs of the demo and a newer one of another name."""
    for age, run in [(300, "digits_res18"), (100, "digits_res18_2"), (0, "another")]:
        best = work / run / "ckpt/ckpt_best.pth.tar"
        best.parent.mkdir(parents=True)
        best.touch()
        os.utime(best, (1e9 - age, 1e9 - age))


def test_inference_sh_alone_takes_the_demos_newest_run(active: Checkout, tmp_path: Path) -> None:
    work = tmp_path / "my work"
    demo_runs(work)
    result = active.run("sh", "entry/inference.sh", cwd=work)
    assert result.stdout == f"The demo's run {work}/digits_res18_2, and one of its test images:\n"
    predict = active.calls()[-1][1]
    assert predict[:6] == ["-m", "ding_cls", "predict", f"{work}/digits_res18_2", "--topk", "1"]


def test_export_onnx_sh_with_a_run_named(active: Checkout) -> None:
    result = active.run("sh", "entry/export_onnx.sh", "a run", "--image", "a b.jpg", "--samples", "9")
    assert result.stdout == ""
    words = ["a run", "--image", "a b.jpg", "--samples", "9"]
    assert active.calls()[-1][1] == ["-m", "ding_cls", "export", *words]


@pytest.mark.parametrize("options", [[], ["--out", "my digits.onnx"]])
def test_export_onnx_sh_alone_takes_the_demos_newest_run(
    active: Checkout, tmp_path: Path, options: list[str]
) -> None:
    demo_runs(tmp_path)
    result = active.run("sh", "entry/export_onnx.sh", *options, cwd=tmp_path)
    assert result.stdout.startswith(f"The demo's run {tmp_path}/digits_res18_2")
    export = active.calls()[-1][1]
    assert export[:4] == ["-m", "ding_cls", "export", f"{tmp_path}/digits_res18_2"]
    assert export[4:] == (options or ["--image", ""])


def test_export_onnx_sh_without_a_run_says_what_to_type(active: Checkout, tmp_path: Path) -> None:
    result = active.run("sh", "entry/export_onnx.sh", cwd=tmp_path)
    assert result.returncode == 2
    assert "or name a run: sh entry/export_onnx.sh CKPT" in result.stderr
    assert active.calls() == []


def test_export_onnx_sh_installs_what_exporting_needs(active: Checkout) -> None:
    environment = Path(active.environ["VIRTUAL_ENV"])
    python = environment / "bin/python"
    lacking = python.read_text().replace(
        "esac\n", '"-c import onnx, onnxruntime, onnxscript") exit 1 ;;\nesac\n', 1
    )
    write_program(python, lacking)
    active.run("sh", "entry/export_onnx.sh", "a run")
    assert installed(active.calls()) == [".[export]"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no run of the demo here; train it (bash entry/demo.sh), or name a run and an image"),
        (["a run"], "which image? sh entry/inference.sh 'a run' IMAGE"),
    ],
)
def test_inference_sh_says_what_to_type(
    active: Checkout, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = active.run("sh", "entry/inference.sh", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert active.calls() == []


def test_dist_train_sh_on_one_machine(active: Checkout, tmp_path: Path) -> None:
    result = active.run("bash", "entry/dist_train.sh", "my config.py", "2", "seed=3", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    folder, call = active.calls()[-1]
    assert folder == str(tmp_path)
    assert call == [
        *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *(f"{active.folder}/entry/train.py", "my config.py", "policy.multi_gpu=True", "seed=3"),
    ]


def test_dist_train_sh_on_several_machines(active: Checkout) -> None:
    machines = {"NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "10.0.0.7", "PORT": "1234"}
    assert active.run("bash", "entry/dist_train.sh", "c.py", "8", **machines).returncode == 0
    assert active.calls()[-1][1][:12] == [
        *("-m", "torch.distributed.run", "--nnodes", "2", "--node_rank", "1"),
        *("--master_addr", "10.0.0.7", "--master_port", "1234", "--nproc_per_node", "8"),
    ]


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        (["c.py"], {}, "usage: bash entry/dist_train.sh CONFIG N"),
        (["c.py", "two"], {}, "not 'two'"),
        (["c.py", "0"], {}, "not '0'"),
        (["c.py", "2"], {"NNODES": "2", "NODE_RANK": "0"}, "MASTER_ADDR (not set"),
        (["c.py", "2"], {"NNODES": "2", "MASTER_ADDR": "h"}, "NODE_RANK (not set"),
    ],
)
def test_dist_train_sh_names_what_is_missing(
    active: Checkout, arguments: list[str], environ: dict[str, str], message: str
) -> None:
    result = active.run("bash", "entry/dist_train.sh", *arguments, **environ)
    assert result.returncode == 2
    assert message in result.stderr
    assert active.calls() == []


@pytest.mark.parametrize("files", [["a b.pth.tar"], ["my config.py", "a b.pth.tar"]])
def test_dist_test_sh(active: Checkout, files: list[str]) -> None:
    assert active.run("bash", "entry/dist_test.sh", *files, "3", "--data", "d e").returncode == 0
    assert active.calls()[-1][1] == [
        *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "3"),
        *(f"{active.folder}/entry/evaluate.py", *files, "--data", "d e"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "usage: bash entry/dist_test.sh [CONFIG] CKPT N"),
        (["run", "two"], "not 'two'"),
        (["run", "two", "--split", "test"], "not 'two'"),
        (["cfg.py", "run", "two"], "not 'two'"),
        (["cfg.py", "run", "other", "2"], "not 'other'"),
    ],
)
def test_dist_test_sh_names_what_is_missing(active: Checkout, arguments: list[str], message: str) -> None:
    result = active.run("bash", "entry/dist_test.sh", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert active.calls() == []


SRUN = '#!/bin/bash\nprintf "%s\\n" "$@"\n'


def slurm_job(checkout: Checkout, command: str) -> dict[str, str]:
    write_program(checkout.path / "scontrol", f"#!/bin/sh\necho '   JobId=7'\necho '   Command={command}'\n")
    write_program(checkout.path / "srun", SRUN)
    return {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "4", "SLURM_SUBMIT_DIR": "/elsewhere"}


def test_slurm_train_sh_finds_its_checkout_though_sbatch_copied_it(active: Checkout, tmp_path: Path) -> None:
    copied = tmp_path / "spool/slurm_script"
    copied.parent.mkdir()
    shutil.copy(active.folder / "entry/slurm_train.sh", copied)
    job = slurm_job(active, f"{active.folder}/entry/slurm_train.sh c.py seed=3")
    result = active.run("bash", str(copied), "c.py", "seed=3", cwd=tmp_path, **job)
    assert result.returncode == 0, result.stderr
    python = f"{active.environ['VIRTUAL_ENV']}/bin/python"
    assert result.stdout.splitlines() == [
        *("--kill-on-bad-exit=1", "--cpus-per-task=4", python, f"{active.folder}/entry/train.py"),
        *("c.py", "policy.multi_gpu=True", "seed=3"),
    ]


def test_slurm_train_sh_outside_a_job_says_how_to_submit(active: Checkout) -> None:
    result = active.run("bash", "entry/slurm_train.sh", "c.py")
    assert result.returncode == 2
    assert "submit it: sbatch entry/slurm_train.sh CONFIG" in result.stderr


def test_slurm_train_sh_never_installs_on_a_compute_node(active: Checkout) -> None:
    job = slurm_job(active, f"{active.folder}/entry/slurm_train.sh c.py")
    result = active.run("bash", "entry/slurm_train.sh", "c.py", FAKE_NO_TORCH="1", **job)
    assert result.returncode == 2
    assert "ding_cls is not installed in" in result.stderr
    assert active.calls() == []


# -- the real Python


@pytest.mark.slow
def test_the_doors_and_the_command_line_are_the_same() -> None:
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    doors = [("train", "train"), ("evaluate", "eval"), ("inference", "predict"), ("export_onnx", "export")]
    for door, verb in doors:
        outputs = [
            subprocess.run(
                [sys.executable, *command, "--help"], env=environ, capture_output=True, text=True, check=True
            ).stdout
            for command in ([str(ROOT / f"entry/{door}.py")], ["-m", "ding_cls", verb])
        ]
        first, second = (re.sub(r"usage: \S+( -m ding_cls)?", "usage:", each) for each in outputs)
        assert first == second
        assert first.startswith("usage:")
