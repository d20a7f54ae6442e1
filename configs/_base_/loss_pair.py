# What the configs of single losses share: the embedded pair, KD beside the loss, and two places to compare.
_base_ = '../distill/i3d_to_mobilenet.py'
kd = dict(type='KDLoss', at='logits')
# Read before the last, widening convolution, which would make what is trained on them eight times as wide.
layers = [('backbone.layer6', 'backbone.layer3'), ('backbone.layer7', 'backbone.layer4')]
