"""Transfer learning: python examples/transfer_learning.py --data DIR, with one folder per class."""

import argparse
from pathlib import Path

from PIL import ImageDraw

import ding_cls
from ding_cls.checkpoint import read_checkpoint
from ding_cls.data import find_split, load_rgb, preprocessing_from_state, split_folder
from ding_cls.errors import DingError
from ding_cls.models import build_backbone, load_pretrained
from ding_cls.report import draw_curves


def train(data, model, pretrained, epochs, overrides=()):
    """Train a new head on a body that stays as it is; the validation pictures choose the epoch to keep."""
    width = build_backbone({"type": model}).num_features
    # Linear-ReLU-Dropout-Linear-LogSoftmax, with NLLLoss.
    head = {"type": "LogSoftmaxHead", "in_channels": width, "mid_channels": [256], "dropout_rate": 0.4}
    network = {"type": "ImageClassifier", "backbone": {"type": model, "pretrained": pretrained}, "head": head}
    learn = {"train_epoch": epochs, "freeze": {"patterns": "body"}, "optimizer": {"type": "Adam"}}
    learn |= {"learning_rate": 1e-3, "lr_schedule": "cosine", "warmup_epoch": 0, "weight_decay": 0.0}
    policy = {"model": network, "learn": learn, "collect": {"crop_scale": [0.8, 1.0]}}
    policy["eval"] = {"evaluator": {"eval_interval": 1}}
    return ding_cls.train({"exp_name": "runs/transfer", "policy": policy}, data=data, overrides=overrides)


def predict(result, file):
    """Return a picture with its three likeliest classes drawn on it, as the best epoch sees them."""
    run = read_checkpoint(result.best_checkpoint)["run"]
    load_pretrained(result.model, result.best_checkpoint)
    picture, preprocessing = load_rgb(file), preprocessing_from_state(run["preprocessing"])
    images = preprocessing.normalize(preprocessing.to_tensor(preprocessing(picture))[None])
    scores = result.model.cpu().eval()(images)[0].exp().tolist()  # the head gives logarithms
    best = sorted(zip(scores, run["class_names"], strict=True), reverse=True)[:3]
    lines = [f"Prediction {n} : {name} , Score: {score:.2f}" for n, (score, name) in enumerate(best, 1)]
    print(*lines, sep="\n")
    style = {"font_size": max(picture.width // 20, 8), "stroke_width": 2, "stroke_fill": "black"}
    ImageDraw.Draw(picture).text((4, 4), "\n".join(lines), "white", **style)
    return picture


def main(data, model="resnet50", pretrained=True, epochs=30, fractions=None, picture=None, overrides=()):
    data = Path(data)
    if not (data / "train").is_dir():
        whole, data = data, data.with_name(f"{data.name}_split")
        if not data.exists():  # of each class 60 pictures to train on, 10 to choose by, the rest to test
            per_class = None if fractions else (60, 10, "rest")
            split_folder(whole, data, fractions=fractions, per_class=per_class)
    result = train(data, model, pretrained, epochs, overrides)
    draw_curves(result.run_folder).savefig(result.run_folder / "curves.png")
    accuracy = ding_cls.evaluate(result.best_checkpoint, split="test")["acc1"]
    print(f"Best epoch: {result.best_epoch}, test accuracy: {accuracy:.2f}%")
    picture = picture or min(each for each in find_split(data, "test").rglob("*") if each.is_file())
    predict(result, picture).save(result.run_folder / "prediction.png")
    return result, accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="DIR/CLASS/a.jpg; or DIR/train, DIR/valid and DIR/test")
    parser.add_argument("--model", default="resnet50", help="any classifier of torchvision")
    parser.add_argument("--pretrained", default=True, metavar="FILE", help="without it torchvision's weights")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--fractions", type=float, nargs=3, help="shares of a split, instead of 60, 10, rest")
    parser.add_argument("--picture", help="what to predict; else the first of the test pictures")
    try:
        main(**vars(parser.parse_args()))
    except DingError as error:
        parser.exit(2, f"error: {error}\n")
