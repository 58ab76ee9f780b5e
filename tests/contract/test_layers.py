"""What an import brings along: doors and config stay light, and nothing needs the development tools."""

import pkgutil
import subprocess
import sys

import pytest

import ding_cls
import dizoo


def run_fresh(program: str) -> str:
    """Run a program in an interpreter that has imported nothing, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module",
    [
        "ding_cls",
        "ding_cls.cli",
        "ding_cls.__main__",
        "ding_cls.config",
        "ding_cls.registry",
        "ding_cls.errors",
    ],
)
def test_importing_it_does_not_import_torch(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'tensorboardX', 'rich', 'PIL'}"
    assert run_fresh(f"import sys, {module}; print(sorted({heavy} & sys.modules.keys()))") == "[]"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["eval", "--help"], ["env", "--help"], ["--version"]]
)
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom ding_cls.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    )
    assert run_fresh(program).splitlines()[-1] == "0 False"


@pytest.mark.slow
def test_every_module_imports_without_the_dev_tools() -> None:
    modules = [
        each.name
        for package in (ding_cls, dizoo)
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    assert len(modules) > 60
    program = (
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(['sklearn', 'matplotlib', 'scipy', 'pandas', 'pytest']))\n"
        f"print(len([importlib.import_module(name) for name in {modules}]))"
    )
    assert run_fresh(program) == str(len(modules))
