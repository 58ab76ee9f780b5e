# What training does where a config says nothing of how to train, and the network begins with weights that
# were trained before: all that from_scratch.py says, and what stands here.
# docs/defaults.md has the measurements. A config of one's own begins with it by
# _base_ = "ding_cls::fine_tune.py".
_base_ = "from_scratch.py"

main_config = dict(
    policy=dict(
        learn=dict(
            # The head learns at the whole rate, each layer below at 0.8 of the one above: the lower ones are
            # general, and a step of Adam's at the whole rate destroys them where no BatchNorm mends it.
            optimizer=dict(
                constructor="LearningRateDecayOptimizerConstructor",
                paramwise_cfg=dict(layer_decay_rate=0.8, bypass_duplicate=True),
            ),
            # A few hundred images make few updates; SqueezeNet gained nine points over 32.
            batch_size=16,
        ),
        # Trained weights learn a few hundred images by heart: smaller crops made two points of three folds.
        collect=dict(crop_scale=[0.08, 1.0]),
    ),
)
