"""``docs/mmcls-configs.md`` says what comes of mmclassification's configs; a sample is tried again."""

import os
import re
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.scripts import DOCS, script_of

ARCHIVE = "mmcls-0.x-configs.tar.xz"

QUICK = (
    "lenet/lenet5_mnist.py",
    "van/van-b0_8xb128_in1k.py",
    "conformer/conformer-tiny-p16_8xb128_in1k.py",
    "_base_/datasets/pipelines/auto_aug.py",
    "mobilenet_v3/mobilenet_v3_small_cifar.py",
)
SAMPLE = (
    "_base_/models/mobilenet_v2_1x.py",
    "_base_/schedules/imagenet_bs256.py",
    "_base_/datasets/cifar10_bs16.py",
    "resnet/resnet18_8xb16_cifar10.py",
    "repvgg/repvgg-A0_4xb64-coslr-120e_in1k.py",
    "repvgg/deploy/repvgg-A0_deploy_4xb64-coslr-120e_in1k.py",
    "deit/deit-tiny-distilled_pt-4xb256_in1k.py",
    "regnet/regnetx-400mf_8xb128_in1k.py",
    "hornet/hornet-tiny_8xb128_in1k.py",
    "vision_transformer/vit-base-p16_ft-4xb544-ipu_in1k.py",
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return script_of("draw_mmcls_configs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(os.environ.get("DING_TEST_DATA", ""), ARCHIVE)
    if not path.is_file():
        pytest.skip(f"not run: DING_TEST_DATA names no folder with {ARCHIVE}")
    unpacked = tmp_path_factory.mktemp("mmcls")
    with tarfile.open(path) as archive:
        archive.extractall(unpacked, filter="data")
    return unpacked / "mmcls-0.x" / "configs"


@pytest.fixture(scope="module")
def written() -> str:
    return (DOCS / "mmcls-configs.md").read_text(encoding="utf-8")


def refusals(text: str) -> dict[str, str]:
    """Return the reasons on the page by file."""
    found, reason = {}, ""
    for line in text.partition("## Refused")[2].partition("## Networks")[0].splitlines():
        if match := re.fullmatch(r"\*\*\d+\*\*: (.+)", line):
            reason = match[1]
        elif match := re.fullmatch(r"- `(.+)`", line):
            found[match[1]] = reason
    return found


def test_the_counts_are_those_of_the_lists(written: str) -> None:
    (counts,) = re.findall(r"^(\d+) files: \*\*(\d+) run\*\*, \*\*(\d+)", written, re.M)
    files, ran, refused = map(int, counts)
    found = refusals(written)
    assert (files, ran + refused, len(found)) == (477, 477, refused)
    assert "TRACEBACK" not in written
    rows = re.findall(r"^\| \S+ \| (\d+) \| (\d+) \| (\d*) \|$", written, re.M)
    assert [sum(int(row[place] or 0) for row in rows) for place in range(3)] == [files, ran, refused]


def test_the_list_of_networks_is_up_to_date(script: ModuleType, written: str) -> None:
    assert "\n".join(script.networks()) in written, "run: python docs/draw_mmcls_configs.py FOLDER"


def test_every_file_was_tried(script: ModuleType, folder: Path, written: str) -> None:
    assert len(script.files_in(folder)) == 477
    assert set(refusals(written)) <= set(script.files_in(folder))


@pytest.mark.parametrize("file", QUICK)
def test_a_config_does_what_the_page_says(script: ModuleType, folder: Path, written: str, file: str) -> None:
    (outcome,) = script.outcomes(folder, [file])
    assert outcome.refusal == refusals(written).get(file, "")


@pytest.mark.slow
@pytest.mark.parametrize("file", SAMPLE)
def test_a_sample_does_what_the_page_says(script: ModuleType, folder: Path, written: str, file: str) -> None:
    pytest.importorskip("timm")
    (outcome,) = script.outcomes(folder, [file])
    assert outcome.refusal == refusals(written).get(file, "")


def test_results_are_kept(script: ModuleType, folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    first = script.outcomes(folder, [QUICK[1]], results)
    kept = results.read_text(encoding="utf-8")
    assert script.outcomes(folder, [QUICK[1]], results) == first
    assert results.read_text(encoding="utf-8") == kept


def test_a_reason_has_no_place_in_it(script: ModuleType, tmp_path: Path) -> None:
    text = f"config file {tmp_path}/a.py has x (a.py:3)\nand {tmp_path / 'd'} | z"
    assert script._reason(text, tmp_path, tmp_path / "d") == "config file a.py has x; and DIR \\| z"
