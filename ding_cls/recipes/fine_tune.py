# What training does where a config says nothing of how to train, and the network begins with weights that
# were trained before: all that from_scratch.py says, but for what stands here.
# docs/defaults.md has the measurements. A config of one's own begins with it by
# _base_ = "ding_cls::fine_tune.py".
_base_ = "from_scratch.py"

main_config = dict(
    policy=dict(
        learn=dict(
            learning_rate=0.01,
            warmup_lr=0.001,
        ),
    ),
)
