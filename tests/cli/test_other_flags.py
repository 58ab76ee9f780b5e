"""Flags of other programs are answered by ours, and what is answered can be typed."""

import shlex

import pytest

from ding_cls.cli import _parser, main
from ding_cls.cli.other_flags import FLAGS, NOTES, hint
from ding_cls.config import checked_config, resolve

# Where a number or a word alone is none of the key's values.
SAMPLES = {
    "opt": ["adamw"],
    "optim": ["adamw_torch"],
    "optimizer": ["sgd"],
    "model_update": ["momentum"],
    "sched": ["poly"],
    "lr_scheduler": ["cosineannealinglr"],
    "lr_scheduler_type": ["linear"],
    "lr_decay": ["exponential"],
    "precision": ["16-mixed"],
    "amp_dtype": ["bfloat16"],
    "accelerator": ["gpu"],
    "device": ["cpu"],
    "mean": ["0.5", "0.5", "0.5"],
    "std": ["0.5", "0.5", "0.5"],
    "rgb_mean": ["0.5", "0.5", "0.5"],
    "rgb_std": ["0.5", "0.5", "0.5"],
    "scale": ["0.3", "1.0"],
    "ratio": ["0.75", "1.3333"],
    "opt_betas": ["0.9", "0.99"],
    "hflip": ["0.5"],
    "input_size": ["3", "64", "64"],
    "image_shape": ["3", "64", "64"],
    "val_resize_size": ["256"],
    "resize_shorter": ["256"],
    "experiment": ["mine"],
    "train_data_dir": ["flowers/train"],
    "val_data_dir": ["flowers/val"],
}


@pytest.mark.parametrize("name", FLAGS)
def test_every_answer_is_accepted(name: str) -> None:
    values = SAMPLES.get(name, ["1"])
    answer = hint([f"--{name}"], ["train", f"--{name}", *values])
    about, _, words = answer.partition(": ")
    typed = shlex.split(words)
    if about == "; here that is":
        assert typed[0].startswith("--")
        _, unknown = _parser().parse_known_args(["train", *typed])
        assert unknown == []
        return
    assert about == "; config keys are written key=value"
    (word,) = typed
    described = resolve({}, [word])
    assert described.problems == []
    checked_config(described.cfg)


def test_the_tables_have_their_forms() -> None:
    assert not {*FLAGS} & {*NOTES}
    assert all(name == name.lower().replace("-", "_") for name in (*FLAGS, *NOTES))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--lr 0.1 -b 64 -j 8", "policy.learn.learning_rate=0.1 policy.learn.batch_size=64 "
         "policy.learn.learner.dataloader.num_workers=8"),
        ("-b64", "policy.learn.batch_size=64"),
        ("--img-size=224 --opt adamw", "policy.collect.image_size=224 policy.learn.optimizer.type=AdamW"),
        ("--sched cosine --weight-decay 0", "policy.learn.lr_schedule=cosine policy.learn.weight_decay=0"),
        ("--mixup 0.2", "'policy.learn.batch_augments={type: Mixup, alpha: 0.2}'"),
        ("--mixup 0.2 --cutmix 1.0", "'policy.learn.batch_augments=[{type: Mixup, alpha: 0.2}, "
         "{type: CutMix, alpha: 1.0}]'"),
        ("--input-size 3 160 160 mine.py", "policy.collect.image_size=160"),
        ("--mean 0.5 0.4 0.3 mine.py", "'policy.collect.mean=[0.5,0.4,0.3]'"),
        ("--amp mine.py", "policy.learn.precision=fp16"),
        ("--lr_decay 0.1", "policy.learn.decay_rate=0.1"),
        ("--lr_decay step", "policy.learn.lr_schedule=step"),
        ("--model.lr 0.1", "policy.learn.learning_rate=0.1"),
        ("--optimizer.init_args.weight_decay 0.1", "policy.learn.weight_decay=0.1"),
        ("--wd --lr", "policy.learn.weight_decay=VALUE policy.learn.learning_rate=VALUE"),
        ("--image_size 64 --nonsense 3", "policy.collect.image_size=64"),
        ("--nonsense 3", "policy.learn.batch_size=64"),
    ],
)  # fmt: skip
def test_keys_are_filled_in(typed: str, expected: str) -> None:
    words = typed.split()
    flags = [each for each in words if each.startswith("-")]
    assert hint(flags, words) == f"; config keys are written key=value: {expected}"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--initial-checkpoint w --wd 0", "; here that is: --pretrained w policy.learn.weight_decay=0"),
        ("--trainer.max_epochs=10", "; here that is: --epochs 10"),
        ("--num_epoch 3", "; here that is: --epochs 3"),
        ("--resume-from 'a b.pth'", "; here that is: --resume 'a b.pth'"),
        ("--gpus 2", "; --gpus: start it as: torchrun --nproc-per-node=2 -m ding_cls train ..."),
        ("--gpu-ids 0 1 mine.py", "; --gpu-ids: put CUDA_VISIBLE_DEVICES=0,1 before the command"),
        ("--launcher pytorch", "; --launcher: leave it out: the launcher's environment is read"),
        ("--deterministic", "; --deterministic: leave it out: a run is the same for the same seed"),
        (
            "--accumulate_grad_batches 4 --max_epochs 2",
            "; here that is: --epochs 2; --accumulate_grad_batches: policy.learn.batch_size counts a whole "
            "update: set it 4 times as large, and policy.learn.accumulation_steps=4",
        ),
    ],
)  # fmt: skip
def test_flags_and_what_needs_a_sentence(typed: str, expected: str) -> None:
    words = shlex.split(typed)
    flags = [each for each in words if each.startswith("-")]
    assert hint(flags, words) == expected


def test_the_command_line_gives_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--data", "x", "--lr", "0.1", "-b", "64", "--initial-checkpoint", "w.pth", "mine.py"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "ding-cls: error: unrecognized arguments: --lr -b --initial-checkpoint; here that is: "
        "policy.learn.learning_rate=0.1 policy.learn.batch_size=64 --pretrained w.pth"
    )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--metrics accuracy", "here that is: --metric accuracy"),
        ("--checkpoint 'a b.pth'", "here that is: 'a b.pth'"),
        ("-b 64 --data-dir d", "here that is: --batch-size 64 --data d"),
        (
            "--topk 1 3",
            "config keys are written key=value: 'policy.eval.metric={type: Accuracy, topk: [1,3]}'",
        ),
        ("--tta", "config keys are written key=value: 'policy.eval.metric={type: Accuracy, topk: [1, 5]}'"),
    ],
)
def test_an_evaluation_has_flags_of_its_own(typed: str, expected: str) -> None:
    words = ["eval", "run", *shlex.split(typed)]
    assert hint([each for each in words if each.startswith("-")], words) == f"; {expected}"


def test_a_misspelt_option_is_answered_with_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    for words, near in (
        (["train", "--modle", "resnet18"], "--model"),
        (["train", "--workdir", "x"], "--work-dir"),
        (["eval", "run", "--batchsize", "3"], "--batch-size"),
        (["predict", "run", "a.png", "--top_k", "3"], "--topk"),
    ):
        with pytest.raises(SystemExit):
            main(words)
        answer = capsys.readouterr().err
        assert answer.endswith(f"; did you mean {near}?\n"), answer
