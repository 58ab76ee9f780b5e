"""Cross-validation: folds, what they come to, what a stop changes (nothing), and what is refused."""

import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint
from ding_cls.config import read_config
from ding_cls.data import ImageNetDataset, KFoldDataset, preprocessing_from_state
from ding_cls.errors import CheckpointError, ConfigError, DataError, RunStopped
from ding_cls.pipeline import KFoldResult, evaluate, kfold, kfold_summary
from ding_cls.pipeline.datasets.splits import evaluation_set, training_set
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner import register_learner_hook
from tests.conftest import TinyNet, write_pictures
from tests.harness import SETTINGS, assert_same, outcome

CLASSES = ("ash", "birch", "cedar", "fir")
# 20 pictures, four of each class but ash, of which there are eight, in 3 folds.
PER_CLASS = {"ash": 8, "birch": 4, "cedar": 4, "fir": 4}
ALONE = "policy.learn.learner.dataloader.num_workers=0"
# 13 or 14 samples are trained on: four updates an epoch, eight in all.
SMALL = (*SETTINGS, ALONE, "policy.learn.batch_size=4")


class StopInFold(LearnerHook):
    """Asks for a stop after one update of one fold, as a signal that came during it would."""

    def __init__(self, name: str, priority: int, *, position: Any, ext_args: dict[str, Any]) -> None:
        super().__init__(name, priority, position=position)
        self._fold, self._at = ext_args["fold"], ext_args["at"]

    def __call__(self, engine: BaseLearner) -> None:
        if engine.exp_name.endswith(self._fold) and engine.train_iter == self._at:
            engine.request_stop("the test")


register_learner_hook("stop_in_fold", StopInFold)


def write_data(root: Path, *, with_test: bool = True) -> Path:
    for name, count in PER_CLASS.items():
        write_pictures(root / "train", classes=(name,), per_class=count)
    # Four brightnesses, so that the network has something to learn.
    write_pictures(root / "train", classes=CLASSES, per_class=4)
    if with_test:
        write_pictures(root / "test", classes=CLASSES, per_class=2)
    return root


def run(data: Path, exp_name: str | Path = "exp", *settings: str, **arguments: Any) -> KFoldResult:
    torch.manual_seed(0)
    network = TinyNet()
    # Whatever a session drew before must not matter.
    torch.manual_seed(len(settings))
    given = {"data": data, "epochs": 2, "seed": 5, "num_splits": 3, **arguments}
    return kfold(model=network, exp_name=str(exp_name), overrides=[*SMALL, *settings], **given)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KFoldResult]:
    """The data and a whole cross-validation; read it, do not write into it."""
    root = tmp_path_factory.mktemp("kfold")
    data = write_data(root / "pictures")
    return data, run(data, root / "exp")


def rows_of(file: Path) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def test_every_sample_is_held_out_once_and_never_trained_on_there(whole: tuple[Path, KFoldResult]) -> None:
    _, result = whole
    held_out = []
    for fold in range(3):
        cfg = read_config(result.run_folder / f"fold_{fold}" / "total_config.py")
        train_set = training_set(_compiled(cfg))
        eval_set = evaluation_set(_compiled(cfg), "val", train_set.classes)
        assert not set(train_set.indices) & set(eval_set.indices)
        assert sorted([*train_set.indices, *eval_set.indices]) == list(range(20))
        counts = np.bincount(eval_set.targets, minlength=4)
        assert counts[0] in (2, 3)
        assert set(counts[1:]) <= {1, 2}
        held_out += eval_set.indices
    assert sorted(held_out) == list(range(20))
    assert [(each.num_train, each.num_held_out) for each in result.folds] == [(13, 7), (13, 7), (14, 6)]


def _compiled(cfg: Any) -> Any:
    from ding_cls.config import compile_config
    from ding_cls.policy import ImageClassificationPolicy

    return compile_config(cfg, save_cfg=False, policy=ImageClassificationPolicy)


def test_held_out_pictures_are_not_augmented(whole: tuple[Path, KFoldResult]) -> None:
    data, result = whole
    state = read_checkpoint(result.folds[0].checkpoint)["run"]
    cfg = _compiled(state["config"])
    eval_set = evaluation_set(cfg, "val", CLASSES)
    plain = ImageNetDataset(data / "train", False, preprocessing_from_state(state["preprocessing"]))
    for position, index in enumerate(eval_set.indices):
        assert torch.equal(eval_set.load(position)[0], plain.load(index)[0])


def test_out_of_fold_is_each_folds_own_evaluation(whole: tuple[Path, KFoldResult]) -> None:
    data, result = whole
    inner = ImageNetDataset(data / "train", True)
    logits, folds = torch.zeros(20, 4), np.full(20, -1)
    for each in result.folds:
        judged = evaluate(each.checkpoint, model=TinyNet(), out=Path("fold.npz"))
        assert judged == {**each.result, "num_samples": each.num_held_out}
        where = KFoldDataset(inner, fold=each.fold, num_splits=3, test_mode=True, seed=5).indices
        logits[where] = torch.from_numpy(np.load("fold.npz")["logits"])
        folds[where] = each.fold
    saved = np.load(result.run_folder / "out_of_fold.npz")
    assert torch.equal(torch.from_numpy(saved["logits"]), logits)
    assert saved["folds"].tolist() == folds.tolist()
    assert saved["targets"].tolist() == inner.targets
    targets = torch.tensor(inner.targets)
    assert result.out_of_fold is not None
    assert result.out_of_fold["num_samples"] == 20
    assert result.out_of_fold["acc1"] == 100 * int((logits.argmax(1) == targets).sum()) / 20
    loss = functional.cross_entropy(logits.double(), targets).item()
    assert result.out_of_fold["loss"] == pytest.approx(loss, abs=1e-6)
    scores = logits.double().softmax(1)
    assert rows_of(result.run_folder / "out_of_fold.csv") == [
        {
            "sample": str(number),
            "path": inner.samples[number][0],
            "label": CLASSES[inner.targets[number]],
            "predicted": CLASSES[int(scores[number].argmax())],
            "score": f"{float(scores[number].max()):.6f}",
            "fold": str(folds[number]),
        }
        for number in range(20)
    ]


def test_mean_and_spread_are_numpys(whole: tuple[Path, KFoldResult]) -> None:
    _, result = whole
    summary = json.loads((result.run_folder / "summary.json").read_text())
    assert summary["n"] == 3
    assert set(result.mean) == set(result.spread) == {"loss", "acc1", "acc5"}
    for name in result.mean:
        values = [each.result[name] for each in result.folds]
        assert result.mean[name] == summary["mean"][name] == np.mean(values)
        assert result.spread[name] == summary["spread"][name] == np.std(values, ddof=1)
    assert result.spread["loss"] > 0


def test_the_test_split_is_predicted_by_all_networks_together(whole: tuple[Path, KFoldResult]) -> None:
    data, result = whole
    shares = []
    for each in result.folds:
        evaluate(each.checkpoint, data=data, split="test", model=TinyNet(), out=Path("test.npz"))
        shares.append(torch.from_numpy(np.load("test.npz")["logits"]).double().softmax(1))
    mean, targets = torch.stack(shares).mean(0), torch.arange(4).repeat_interleave(2)
    assert result.test is not None
    assert result.test["num_samples"] == 8
    assert result.test["acc1"] == 100 * (mean.argmax(1) == targets).double().mean().item()
    assert result.test["loss"] == pytest.approx(functional.nll_loss(mean.log(), targets).item(), abs=1e-6)
    rows = rows_of(result.run_folder / "test_predictions.csv")
    assert [row["path"] for row in rows][:3] == ["ash/000.png", "ash/001.png", "birch/000.png"]
    assert [row["predicted"] for row in rows] == [CLASSES[number] for number in mean.argmax(1)]


def test_a_stop_in_a_fold_changes_nothing(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    data, result = whole
    hook = {
        "type": "stop_in_fold",
        "position": "after_iter",
        "priority": 99,
        "ext_args": {"fold": "fold_1", "at": 4},
    }
    stop = f"policy.learn.learner.hook.stop_here={hook}"
    with pytest.raises(RunStopped, match=r"saved in '\./exp/fold_1/ckpt'; go on from") as stopped:
        run(data, "exp", stop)
    assert stopped.value.code == 75
    assert sorted(each.name for each in Path("exp").glob("fold_*")) == ["fold_0", "fold_1"]
    before = {each: each.stat().st_mtime_ns for each in Path("exp/fold_0").rglob("*")}
    again = run(data, "exp", "policy.learn.learner.hook.stop_here=False", resume=True)
    assert {each: each.stat().st_mtime_ns for each in Path("exp/fold_0").rglob("*")} == before
    assert_alike(again, result)
    assert_same(outcome("exp/fold_1", last=8), outcome(str(result.run_folder / "fold_1"), last=8), where="")


def assert_alike(found: KFoldResult, expected: KFoldResult) -> None:
    for name in ("summary.json", "out_of_fold.csv", "test_predictions.csv", "kfold.json"):
        assert (found.run_folder / name).read_bytes() == (expected.run_folder / name).read_bytes(), name
    mine, theirs = (np.load(each.run_folder / "out_of_fold.npz") for each in (found, expected))
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs.files)
    assert {**asdict(found), "run_folder": 0, "folds": 0} == {**asdict(expected), "run_folder": 0, "folds": 0}


def test_folds_one_by_one_are_the_whole_in_any_order(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    data, result = whole
    first = run(data, "exp", fold=2)
    assert ([each.fold for each in first.folds], first.missing, first.spread) == ([2], [0, 1], {})
    assert first.out_of_fold is None
    assert not Path("exp/out_of_fold.csv").exists()
    # What a run leaves that is killed before its first checkpoint.
    shutil.copytree("exp/fold_2/log", "exp/fold_1/log")
    with pytest.raises(ConfigError, match=r"'exp/fold_1' is there already; go on with --resume"):
        run(data, "exp", fold=1)
    run(data, "exp", fold=1, resume=True)
    assert run(data, "exp", fold=0).missing == []
    assert_alike(kfold_summary("exp"), result)


def test_a_resume_needs_only_the_folder(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    data, result = whole
    run(data, "exp", start_fold=1)
    torch.manual_seed(0)
    assert_alike(kfold(model=TinyNet(), exp_name="exp", resume=True), result)


@pytest.fixture
def begun(whole: tuple[Path, KFoldResult], workdir: Path) -> Path:
    data, result = whole
    shutil.copytree(result.run_folder, "exp")
    return data


def test_folds_are_not_mixed_with_others(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"policy\.learn\.train_epoch was 2 when .* and is 3 now"):
        run(begun, resume=True, epochs=3)
    with pytest.raises(
        ConfigError, match=r"num_splits was 3 when .* and is 4 now; .* or name another --work-dir"
    ):
        run(begun, resume=True, num_splits=4)
    with pytest.raises(ConfigError, match=r"seed was 5 when .* and is 6 now"):
        run(begun, resume=True, seed=6)
    more = shutil.copytree(begun, tmp_path / "more")
    shutil.copy(more / "train/ash/000.png", more / "train/ash/zzz.png")
    with pytest.raises(DataError, match=r"the data are not those .*20 samples then, 21 now"):
        run(more, resume=True)
    before = {each: each.stat().st_mtime_ns for each in Path("exp/fold_1").rglob("*")}
    assert run(begun, resume=True).missing == []
    assert {each: each.stat().st_mtime_ns for each in Path("exp/fold_1").rglob("*")} == before


def test_a_new_one_takes_a_folder_of_its_own(begun: Path) -> None:
    with pytest.raises(CheckpointError, match="own"):
        kfold(data=begun, model=_Fails(), epochs=1, exp_name="exp", overrides=SMALL)
    # A mistake found before anything was trained costs none.
    assert sorted(each.name for each in Path().glob("exp*")) == ["exp"]


class _Fails(TinyNet):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise CheckpointError("a mistake of my own")


def test_the_last_weights_are_judged_where_asked(begun: Path, whole: tuple[Path, KFoldResult]) -> None:
    with pytest.raises(ConfigError, match=r"by its last checkpoint: ding-cls kfold --resume .*--use-"):
        kfold_summary("exp", use_last=True)
    result = run(begun, resume=True, use_last=True)
    assert result.is_last
    assert [each.checkpoint.name for each in result.folds] == ["iteration_8.pth.tar"] * 3
    for each in result.folds:
        text = Path(f"exp/fold_{each.fold}/log/metrics.jsonl").read_text()
        history = [json.loads(line) for line in text.splitlines()]
        last = [row for row in history if row["kind"] == "epoch"][-1]
        assert each.result["loss"] == pytest.approx(last["val_loss"], abs=1e-9)
    lasts = ("summary_last.json", "out_of_fold_last.csv", "out_of_fold_last.npz", "test_predictions_last.csv")
    assert all(Path("exp", name).is_file() for name in lasts)
    # What the best ones gave is still there.
    assert_alike(kfold_summary("exp"), whole[1])


def test_classes_may_lie_in_the_folder_itself(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    data, _ = whole
    result = run(data / "train", epochs=1, num_splits=2)
    assert (result.num_splits, result.test is None) == (2, False)
    shutil.copytree(data / "train", "flat")
    assert run(Path("flat"), "flat_exp", epochs=1, num_splits=2).test is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"fold": 3}, r"fold is 3; the 3 folds are numbered 0 to 2"),
        ({"fold": 0, "start_fold": 1}, r"say either fold"),
        ({"num_splits": 1}, r"num_splits=1 must be at least 2"),
        ({"num_splits": 21}, r"num_splits=21 is more than the 20 samples"),
        ({"grouped": True}, r"has no groups"),
        ({"grouped": False, "group_pattern": "x"}, r"not both"),
        ({"group_pattern": "["}, r"is no regular expression"),
        ({"group_pattern": "^oak"}, r"finds nothing in 'ash/000.png'"),
        ({"resume": True}, r"there is no cross-validation 'exp' to resume here"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_made(
    whole: tuple[Path, KFoldResult], workdir: Path, arguments: dict[str, Any], reason: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=reason):
        run(whole[0], **arguments)
    assert list(workdir.iterdir()) == []


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}
    for name, value in launch.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="kfold runs in one process, and 2 were started"):
        kfold(synthetic=True, num_splits=1)


def test_synthetic_pictures_are_divided(workdir: Path) -> None:
    made = ("policy.collect.synthetic_samples=12", "policy.model.num_classes=4")
    result = kfold(
        model=TinyNet(),
        synthetic=True,
        epochs=1,
        num_splits=2,
        overrides=[*SMALL, *made],
    )
    assert result.run_folder == Path("runs/synthetic_tinynet_kfold")
    assert [each.num_held_out for each in result.folds] == [6, 6]
    assert [row["path"] for row in rows_of(result.run_folder / "out_of_fold.csv")] == list(
        map(str, range(12))
    )


def config_of(train: dict[str, Any], **policy: Any) -> dict[str, Any]:
    learner = {"dataloader": {"num_workers": 0}, "log_show_freq": 1}
    return {
        "exp_name": "exp",
        "policy": {
            "learn": {"batch_size": 4, "train_epoch": 1, "learner": learner},
            "collect": {"image_size": 8, "resize_size": 8, "train": train},
            **policy,
        },
    }


def table(data: Path, *, groups: int = 0) -> dict[str, Any]:
    """Write a CSV file of two pictures of each class, in so many groups; return its description."""
    rows = [f"{name}/{number:03d}.png,{name}" for name in CLASSES for number in range(4)]
    group = [f",g{index % groups}" for index in range(len(rows))] if groups else [""] * len(rows)
    head = "path,label,group" if groups else "path,label"
    Path("table.csv").write_text("\n".join([head, *map("".join, zip(rows, group, strict=True))]) + "\n")
    return {"type": "CSVDataset", "ann_file": "table.csv", "data_prefix": str(data / "train")}


def test_groups_of_a_table_stay_together(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    description = table(whole[0], groups=5)
    result = kfold(config_of(description), model=TinyNet(), num_splits=2)
    assert result.run_folder == Path("exp_kfold")
    assert json.loads(Path("exp_kfold/kfold.json").read_text())["division"]["grouped"] is True
    folds = [row["fold"] for row in rows_of(Path("exp_kfold/out_of_fold.csv"))]
    assert all(len({folds[index] for index in range(group, 16, 5)}) == 1 for group in range(5))
    divided = kfold(config_of(description), model=TinyNet(), num_splits=2, grouped=False, exp_name="other")
    assert [each.num_held_out for each in divided.folds] == [8, 8]
    assert json.loads(Path("other/kfold.json").read_text())["division"]["grouped"] is False


def test_groups_by_file_names_stay_together(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    result = run(whole[0], epochs=1, num_splits=2, group_pattern=r"^\d+")
    rows = rows_of(result.run_folder / "out_of_fold.csv")
    folds: dict[str, set[str]] = {}
    for row in rows:
        folds.setdefault(Path(row["path"]).stem, set()).add(row["fold"])
    assert all(len(each) == 1 for each in folds.values())
    assert set.union(*folds.values()) == {"0", "1"}


def test_copies_of_a_sample_are_never_judged(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    description = table(whole[0])
    repeated = {"type": "RepeatDataset", "times": 2, "dataset": description}
    result = kfold(config_of(repeated), model=TinyNet(), num_splits=2)
    assert [each.num_held_out for each in result.folds] == [8, 8]
    cfg = read_config("exp_kfold/fold_0/total_config.py")
    assert len(training_set(_compiled(cfg))) == 16
    inside = {"type": "ConcatDataset", "datasets": [repeated]}
    with pytest.raises(DataError, match="the data hold a sample several times: one copy would be trained on"):
        kfold(config_of(inside), model=TinyNet(), num_splits=2)


def test_a_config_with_pipelines_is_judged_by_that_of_validation(
    whole: tuple[Path, KFoldResult], workdir: Path
) -> None:
    def pipeline(*steps: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "LoadImageFromFile"},
            *steps,
            {"type": "Normalize", "mean": [9] * 3, "std": [50] * 3},
        ]

    train = {
        "type": "CustomDataset",
        "data_prefix": str(whole[0] / "train"),
        "pipeline": pipeline({"type": "RandomResizedCrop", "size": 8}),
    }
    cfg = config_of(train)
    cfg["policy"]["collect"]["val"] = {
        "type": "CustomDataset",
        "data_prefix": "nowhere",
        "pipeline": pipeline({"type": "Resize", "size": [10, -1]}, {"type": "CenterCrop", "crop_size": 8}),
    }
    kfold(cfg, model=TinyNet(), num_splits=2, fold=0)
    own = _compiled(read_config("exp_kfold/fold_0/total_config.py"))
    held_out = evaluation_set(own, "val", CLASSES)
    assert [type(each).__name__ for each in held_out.dataset.pipeline.steps][1:3] == ["Resize", "CenterCrop"]
    trained = training_set(own)
    assert type(trained.dataset.pipeline.steps[1]).__name__ == "RandomResizedCrop"


def test_a_part_of_the_data_is_divided(whole: tuple[Path, KFoldResult], workdir: Path) -> None:
    result = run(whole[0], "exp", "policy.collect.try_to_train_items=8", epochs=1, num_splits=2)
    assert [(each.num_train, each.num_held_out) for each in result.folds] == [(4, 4), (4, 4)]


_SEVERAL = {"type": "ClassificationMetrics", "metrics": ["mAP", "CF1"]}


@pytest.mark.parametrize("metric", [_SEVERAL, {**_SEVERAL, "thr": 0.45}, None])
def test_several_labels_are_named_in_the_table(
    metric: Any, whole: tuple[Path, KFoldResult], workdir: Path
) -> None:
    lines = ["path,label", *(f"{CLASSES[n % 4]}/{n // 4:03d}.png,{n % 4} {(n + 1) % 4}" for n in range(12))]
    Path("table.csv").write_text("\n".join(lines) + "\n")
    train = {
        "type": "CSVDataset",
        "ann_file": "table.csv",
        "data_prefix": str(whole[0] / "train"),
        "labels": "several",
        "classes": list(CLASSES),
    }
    cfg = config_of(train, eval={} if metric is None else {"metric": metric})
    cfg["policy"]["learn"]["loss"] = {"type": "BCEWithLogitsLoss"}
    result = kfold(cfg, model=TinyNet(), num_splits=2)
    rows = rows_of(result.run_folder / "out_of_fold.csv")
    assert [row["label"] for row in rows][:2] == ["ash|birch", "birch|cedar"]
    saved = np.load(result.run_folder / "out_of_fold.npz")
    for row, logits in zip(rows, saved["logits"], strict=True):
        is_named = 1 / (1 + np.exp(-logits.astype(float))) >= saved["threshold"]
        assert row["predicted"] == "|".join(CLASSES[number] for number in np.flatnonzero(is_named))
    assert saved["threshold"] == (metric or {}).get("thr", 0.5)
    assert result.out_of_fold is not None
    assert set(result.out_of_fold) >= {"mAP", "CF1", "num_samples"}


@pytest.mark.parametrize("setting", ["checkpoint.save_best_only=True", "hook.save_ckpt_after_run=False"])
def test_the_last_weights_are_asked_for_before_anything_is_trained(
    setting: str, whole: tuple[Path, KFoldResult], workdir: Path
) -> None:
    with pytest.raises(ConfigError, match="the config does not save them"):
        run(whole[0], "none", f"policy.learn.learner.{setting}", use_last=True)
    assert not Path("none").exists()


def test_folds_from_before_the_choice_go_on_with_whole_batches(tmp_path: Path, workdir: Path) -> None:
    data, key = (
        write_data(tmp_path / "pictures", with_test=False),
        "policy.learn.learner.dataloader.drop_last",
    )
    run(data, "exp", f"{key}=True", fold=0)
    # What a version without the key wrote.
    record = json.loads(Path("exp/kfold.json").read_text())
    assert record.pop("drop_last") is True
    Path("exp/kfold.json").write_text(json.dumps(record))
    config = Path("exp/kfold_config.py")
    config.write_text("\n".join(line for line in config.read_text().splitlines() if "drop_last" not in line))
    with pytest.raises(
        ConfigError, match=f"{key} was True when the folds .* and is False now; all folds are trained alike"
    ):
        run(data, "exp", fold=1)
    with pytest.raises(
        ConfigError, match=f"{key} was True when the folds .* and is False now; all folds are trained alike"
    ):
        run(data, "exp", f"{key}=False", resume=True, fold=1)
    run(data, "exp", resume=True, fold=1)
    assert read_config("exp/fold_1/total_config.py").policy.learn.learner.dataloader.drop_last is True
