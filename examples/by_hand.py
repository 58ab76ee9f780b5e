"""Every part put together by hand: python examples/by_hand.py DIR, with DIR/train and DIR/val."""

import sys

import ding_cls as ding
from ding_cls.common.files import create_unique_dir
from ding_cls.data import TrainAugmentation, find_split
from ding_cls.utils import set_pkg_seed


class LossCurve(ding.LearnerHook):  # keeps every loss, on the device: reading it would make the step wait
    def __init__(self):
        super().__init__("loss_curve", priority=15, position="after_iter")  # before the log hook, at 20
        self.losses = []

    def __call__(self, engine):
        self.losses.append(engine.log_buffer["scalar"]["total_loss"])


def main(data, epochs=5, batch_size=32, image_size=64):
    set_pkg_seed(0)
    augment = TrainAugmentation(image_size=image_size)
    train = ding.ImageNetDataset(find_split(data, "train"), True, augment)
    val = ding.ImageNetDataset(find_split(data, "val"), False, augment.preprocessing(), classes=train.classes)
    train_loader = ding.build_train_loader(train, batch_size, seed=0)
    cfg = {"learn": {"train_epoch": epochs, "learning_rate": 0.01, "warmup_epoch": 1}}
    model = ding.build_model("resnet18", num_classes=len(train.classes))
    policy = ding.ImageClassificationPolicy(cfg, model)
    policy.learn_mode.set_attribute("prepare_batch", augment.prepare)  # loaders give uint8; this normalises
    folder = str(create_unique_dir("runs/by_hand"))  # by_hand_2 where by_hand exists: a folder for each run
    learner = ding.BaseLearner({"hook": {"log_show_after_iter": 10}}, policy.learn_mode, exp_name=folder)
    learner.register_hook(curve := LossCurve())
    env = [ding.build_eval_loader(val, batch_size), ding.ImageClassificationMetric()]
    evaluator = ding.MetricSerialEvaluator({"eval_freq": 1}, env, policy.eval_mode, exp_name=folder)
    learner.start(train_loader, max_epochs=epochs, evaluator=evaluator)
    return learner.history.rows, evaluator.best, [loss.item() for loss in curve.losses]


if __name__ == "__main__":
    print(main(sys.argv[1])[1])
