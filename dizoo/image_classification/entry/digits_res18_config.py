"""ResNet-18 on the 1,797 embedded handwritten digits, at 32 px: seconds an epoch on a laptop.

A mirrored digit is another digit or none, so nothing is flipped; the pictures are cut tightly, so crops are
mild.
"""

from easydict import EasyDict

digits_res18_config = dict(
    exp_name="digits_res18",
    policy=dict(
        cuda="auto",
        multi_gpu="auto",
        model=dict(name="resnet18"),
        learn=dict(
            train_epoch=8,
            batch_size=32,
            learning_rate=0.02,
            lr_schedule="cosine",
            warmup_lr=0.001,
            warmup_epoch=1,
            weight_decay=5e-4,
            nesterov=True,
            learner=dict(
                log_show_freq=10,
                # Reading pictures of 8 x 8 pixels needs no helping process.
                dataloader=dict(num_workers=0),
                hook=dict(log_show_after_iter=int(1e9), save_ckpt_after_iter=False, save_ckpt_after_epoch=1),
            ),
        ),
        collect=dict(
            learn_data_path="",
            eval_data_path="",
            image_size=32,
            resize_size=32,
            crop_scale=[0.8, 1.0],
            crop_ratio=[0.9, 1.1],
            hflip=False,
            mean=[0.5, 0.5, 0.5],
            std=[0.5, 0.5, 0.5],
        ),
        eval=dict(batch_size=64, evaluator=dict(eval_freq=1)),
    ),
)
digits_res18_config = EasyDict(digits_res18_config)
main_config = digits_res18_config
