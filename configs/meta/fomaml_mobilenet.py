# First-order MAML: the same without the gradient of the gradient.
_base_ = './maml_mobilenet.py'
train_cfg = dict(algorithm=dict(second_order=False))
