# A tenth of the training clips has labels, the teacher sees all of them; one clip of two in a batch has a label.
# The student alone, on the labelled tenth: configs/students/mobilenet_motion_few_labels.py.
_base_ = './i3d_to_mobilenet.py'
train_dataloader = dict(
    batch_sampler=dict(type='MixedBatchSampler', labelled=0.5),
    dataset=dict(type='MixedVideoDataset', labelled_share=0.1),
)
