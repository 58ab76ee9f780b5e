# SGD for a global batch of 128: two hundred epochs, two steps down.
max_epochs = 200
optimizer = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0001)
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy='step', step=[max_epochs // 2, max_epochs * 3 // 4])
runner = dict(type='EpochBasedRunner', max_epochs=max_epochs)
