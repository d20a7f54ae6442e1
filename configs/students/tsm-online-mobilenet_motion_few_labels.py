# The same, on the tenth of the training clips that has labels, in as many steps.
_base_ = './tsm-online-mobilenet_motion.py'
train_dataloader = dict(dataset=dict(type='MixedVideoDataset', labelled_share=0.1, clips='labelled'))
