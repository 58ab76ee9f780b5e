"""What the recipes on digits share: the form of the schedule, the optimizer, and how often it is told."""

main_config = dict(
    policy=dict(
        learn=dict(
            batch_size=64,
            learning_rate=0.05,
            lr_schedule="cosine",
            warmup_lr=0.005,
            warmup_epoch=1,
            weight_decay=5e-4,
            nesterov=True,
            ema=dict(decay=0.998),
            channels_last=True,
            learner=dict(
                log_show_freq=100,
                dataloader=dict(num_workers=1),
                hook=dict(save_ckpt_after_iter=False, save_ckpt_after_epoch=1),
            ),
        ),
        eval=dict(batch_size=500, evaluator=dict(eval_interval=2)),
    ),
)
