# What the configs of single losses share: the embedded pair, KD beside the loss, and two places to compare.
_base_ = '../distill/i3d_to_mobilenet.py'
kd = dict(type='KDLoss', at='logits', weight=0.9)
layers = [('backbone.layer6', 'backbone.layer3'), ('backbone.conv2', 'backbone.layer4')]
