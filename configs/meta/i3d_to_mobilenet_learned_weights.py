# The main example with two terms whose weights are learned from 64 clips that are held back from the training.
_base_ = '../distill/i3d_to_mobilenet.py'
model = dict(
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0, weight=dict(type='MetaLearned', start=1.0)),
        dict(
            type='FitNetLoss',
            at=('backbone.conv2', 'backbone.layer4'),
            weight=dict(type='MetaLearned', start=100.0),
        ),
    ],
)
train_dataloader = dict(dataset=dict(indices=576))  # of 640; classes take turns in the list
held_back = dict(
    batch_size=16,
    dataset=dict(
        type='VideoDataset',
        data_root=_base_.data_root,
        ann_file='train.txt',
        data_prefix=dict(video=''),
        indices=-64,
        pipeline=_base_.train_pipeline,
    ),
)
custom_hooks = [*_base_.custom_hooks, dict(type='MetaWeightHook', dataloader=held_back)]
