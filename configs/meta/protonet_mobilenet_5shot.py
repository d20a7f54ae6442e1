# The same with five clips of each class to learn from.
_base_ = './protonet_mobilenet.py'
train_dataloader = dict(batch_sampler=dict(shot=5))
val_dataloader = dict(batch_sampler=dict(shot=5))
test_dataloader = dict(batch_sampler=dict(shot=5))
