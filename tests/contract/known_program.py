"""A program as a user of DI-engine has it, written against its names; only ``ding`` became ``ding_cls``.

``python known_program.py DATA EXP_NAME [multi_gpu]``; run by test_known_program.py.
"""

import copy
import os
import sys
import time

import torch
from tensorboardX import SummaryWriter
from torch.utils.data import DataLoader

from ding_cls.config import compile_config
from ding_cls.torch_utils import resnet18
from ding_cls.utils import dist_init, set_pkg_seed
from ding_cls.worker import BaseLearner, IMetric, LearnerHook, MetricSerialEvaluator
from dizoo.image_classification.data import DistributedSampler, ImageNetDataset
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config
from dizoo.image_classification.policy import ImageClassificationPolicy


class ImageClsLogShowHook(LearnerHook):
    def __init__(self, *args, freq=1, **kwargs):
        super().__init__(*args, **kwargs)
        self._freq = freq

    def __call__(self, engine):
        if engine.rank != 0:
            for k in engine.log_buffer:
                engine.log_buffer[k].clear()
            return
        for k, v in engine.log_buffer["scalar"].items():
            setattr(engine.monitor, k, v)
        engine.monitor.time.step()

        iters = engine.last_iter.val
        if iters % self._freq == 0:
            var_dict = {}
            attr = "avg"
            for k in engine.policy.monitor_vars():
                var_dict[k + "_" + attr] = getattr(engine.monitor, attr)[k]()
            var_dict["data_time_val"] = engine.data_time
            epoch_info = engine.epoch_info
            var_dict["epoch_val"] = epoch_info[0]
            engine.logger.info(
                "Epoch: {} [{:>4d}/{}]\tLoss: {:>6.4f}\tData Time: {:.3f}\tForward Time: {:.3f}\t"
                "Backward Time: {:.3f}\tGradSync Time: {:.3f}\tLR: {:.3e}".format(
                    var_dict["epoch_val"],
                    epoch_info[1],
                    epoch_info[2],
                    var_dict["total_loss_avg"],
                    var_dict["data_time_val"],
                    var_dict["forward_time_avg"],
                    var_dict["backward_time_avg"],
                    var_dict["sync_time_avg"],
                    var_dict["cur_lr_avg"],
                )
            )
            for k, v in var_dict.items():
                engine.tb_logger.add_scalar(f"{engine.instance_name}/" + k, v, iters)
            for k, v in engine.log_buffer["histogram"].items():
                engine.tb_logger.add_histogram(f"{engine.instance_name}/" + k, v, iters)
        for k in engine.log_buffer:
            engine.log_buffer[k].clear()


class ImageClassificationMetric(IMetric):
    def __init__(self):
        self.loss = torch.nn.CrossEntropyLoss()

    @staticmethod
    def accuracy(inputs, label, topk=(1, 5)):
        maxk = max(topk)
        _, pred = inputs.topk(maxk, 1, True, True)
        correct = pred.t().eq(label.reshape(1, -1).expand(maxk, -1))
        return {f"acc{k}": correct[:k].reshape(-1).float().sum(0) * 100.0 / label.size(0) for k in topk}

    def eval(self, inputs, label):
        output = self.accuracy(inputs, label)
        output["loss"] = self.loss(inputs, label)
        for k in output:
            output[k] = output[k].item()
        return output

    def reduce_mean(self, inputs):
        return {k: sum(each[k] for each in inputs) / len(inputs) for k in inputs[0]}

    def gt(self, metric1, metric2):
        if metric2 is None:
            return True
        return metric1["loss"] < metric2["loss"]


def main(cfg, seed):
    cfg = compile_config(cfg, seed=seed, policy=ImageClassificationPolicy, evaluator=MetricSerialEvaluator)
    rank, world_size = dist_init() if cfg.policy.learn.multi_gpu else (0, 1)
    set_pkg_seed(cfg.seed + rank, use_cuda=cfg.policy.cuda)

    model = resnet18(num_classes=6)
    policy = ImageClassificationPolicy(cfg.policy, model=model, enable_field=["learn", "eval"])
    learn_dataset = ImageNetDataset(cfg.policy.collect.learn_data_path, is_training=True)
    eval_dataset = ImageNetDataset(cfg.policy.collect.eval_data_path, is_training=False)
    if cfg.policy.learn.multi_gpu:
        learn_sampler, eval_sampler = DistributedSampler(learn_dataset), DistributedSampler(eval_dataset)
    else:
        learn_sampler, eval_sampler = None, None
    learn_dataloader = DataLoader(
        learn_dataset, cfg.policy.learn.batch_size, sampler=learn_sampler, num_workers=1
    )
    eval_dataloader = DataLoader(
        eval_dataset, cfg.policy.eval.batch_size, sampler=eval_sampler, num_workers=1
    )

    tb_logger = SummaryWriter(os.path.join(f"./{cfg.exp_name}/log/", "serial"))
    learner = BaseLearner(cfg.policy.learn.learner, policy.learn_mode, tb_logger, exp_name=cfg.exp_name)
    log_show_hook = ImageClsLogShowHook(
        name="image_cls_log_show_hook",
        priority=0,
        position="after_iter",
        freq=cfg.policy.learn.learner.log_show_freq,
    )
    learner.register_hook(log_show_hook)
    eval_metric = ImageClassificationMetric()
    evaluator = MetricSerialEvaluator(
        cfg.policy.eval.evaluator,
        [eval_dataloader, eval_metric],
        policy.eval_mode,
        tb_logger,
        exp_name=cfg.exp_name,
    )

    learner.call_hook("before_run")
    end = time.time()
    for epoch in range(cfg.policy.learn.train_epoch):
        if evaluator.should_eval(learner.train_iter):
            stop, result = evaluator.eval(learner.save_checkpoint, epoch, 0)
            print(f"evaluated by {rank} of {world_size} at {learner.train_iter}: {stop} {result}")
            if stop:
                break
        for i, train_data in enumerate(learn_dataloader):
            learner.data_time = time.time() - end
            learner.epoch_info = (epoch, i, len(learn_dataloader))
            learner.train(train_data)
            end = time.time()
        learner.policy.get_attribute("lr_scheduler").step()
    learner.call_hook("after_run")
    tb_logger.close()


if __name__ == "__main__":
    main_config = copy.deepcopy(imagenet_res18_config)
    main_config.exp_name = sys.argv[2]
    main_config.policy.collect.learn_data_path = os.path.join(sys.argv[1], "train")
    main_config.policy.collect.eval_data_path = os.path.join(sys.argv[1], "val")
    main_config.policy.multi_gpu = "multi_gpu" in sys.argv
    main_config.policy.learn.update(train_epoch=2, batch_size=8, warmup_epoch=0)
    main_config.policy.learn.learner.log_show_freq = 1
    main_config.policy.learn.learner.hook.save_ckpt_after_iter = 1
    main_config.policy.eval.batch_size = 3
    main(main_config, 0)
