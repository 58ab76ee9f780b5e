# What training does where a config says nothing of how to train, and the network begins with random weights.
# docs/defaults.md has the measurements. A config of one's own begins with it by
# _base_ = "ding_cls::from_scratch.py".
main_config = dict(
    policy=dict(
        learn=dict(
            train_epoch=30,
            # Adam's steps have one size in all layers of all kinds of networks. With SGD at one rate for all
            # of them BatchNorm's statistics fell behind the weights: in short runs validation went down to
            # guessing, from random weights and from trained ones alike.
            optimizer=dict(type="AdamW"),
            learning_rate=0.001,
            weight_decay=0.05,
            lr_schedule="cosine",
            # Half an epoch, so that a run of one epoch has a peak too.
            warmup_lr=0.00001,
            warmup_epoch=0.5,
            # A network without normalization then survives an outlier's gradient.
            grad_clip=dict(max_norm=1),
            learner=dict(hook=dict(save_ckpt_after_iter=False, save_ckpt_after_epoch=1)),
        ),
        # A short run from random weights learns more from crops that show most of the image.
        collect=dict(crop_scale=[0.35, 1.0]),
        eval=dict(evaluator=dict(eval_freq=1)),
    ),
)
