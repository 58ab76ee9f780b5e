"""The files around the code: releases, citation, changelog, forms and the workflow agree with the project."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import ding_cls

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
ADR = sorted((ROOT / "docs" / "adr").glob("0*.md"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = load(ROOT / "CITATION.cff")
    assert {project["version"], citation["version"]} == {ding_cls.__version__}
    assert citation["license"] == project["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_workflow_runs_the_readmes_test_command() -> None:
    (job,) = load(ROOT / ".github" / "workflows" / "tests.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash entry/test.sh"]
    assert "bash entry/test.sh " in (ROOT / "README.md").read_text(encoding="utf-8")
    assert all((ROOT / path).exists() for path in ("entry/test.sh", "pyproject.toml"))


def test_every_form_can_be_filled_in() -> None:
    forms = [each for each in FORMS if each.name != "config.yml"]
    assert len(forms) == 2
    for form in forms:
        content = load(form)
        assert {"name", "description", "body"} <= set(content)
        ids = [field["id"] for field in content["body"]]
        assert len(ids) == len(set(ids)) >= 3
        assert all(field["attributes"]["label"] for field in content["body"])
        for page in re.findall(r"docs/[\w/.-]+\.md", form.read_text(encoding="utf-8")):
            assert (ROOT / page).is_file(), page


def test_every_decision_has_its_number_three_parts_and_a_row() -> None:
    assert [int(page.name[:4]) for page in ADR] == list(range(1, len(ADR) + 1))
    assert len(ADR) >= 19
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", index, re.M)
    assert [row[2] for row in rows] == [page.name for page in ADR]
    for (number, title, _), page in zip(rows, ADR, strict=True):
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. {title}\n")
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"]
        assert 15 <= len(text.splitlines()) <= 30, page.name


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.+)$", text, re.M)
    assert versions[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+( - \d{4}-\d\d-\d\d)?", each) for each in versions[1:])
    known = (
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
        "How to migrate",
        "Known limits",
    )
    for section in text.split("\n## ")[1:]:
        heads = re.findall(r"^### (.+)$", section, re.M)
        assert heads == [head for head in known if head in heads]
    assert "### How to migrate" in text.split("\n## ")[1]
