# What training does where a config says nothing of how to train, and the network begins with random weights.
# docs/defaults.md has the measurements. A config of one's own begins with it by
# _base_ = "ding_cls::from_scratch.py".
main_config = dict(
    policy=dict(
        learn=dict(
            train_epoch=30,
            learning_rate=0.02,
            lr_schedule="cosine",
            warmup_lr=0.002,
            warmup_epoch=0.5,
            learner=dict(hook=dict(save_ckpt_after_iter=False, save_ckpt_after_epoch=1)),
        ),
        eval=dict(evaluator=dict(eval_freq=1)),
    ),
)
