# Real clips: those filmed in one place have labels (set 1); the student is for those of the other (set 2).
#   UT_INTERACTION=<folder> python tools/compare.py configs/transfer/ut_interaction_set1_to_set2.py
_base_ = '../distill/i3d_to_mobilenet_ut_interaction.py'
source, target = 'set1.txt', 'set2.txt'
own_clips = dict(dataset=dict(ann_file=source))
prepare = dict(teacher_options=dict(train_dataloader=own_clips, val_dataloader=own_clips, test_dataloader=own_clips))
model = dict(
    teacher=dict(checkpoint='work_dirs/teachers/i3d_ut_interaction_set1.pth'),
    terms=[
        dict(type='KDLoss', at='logits', temperature=4.0),
        dict(type='CDANLoss', at=['pooled', 'logits'], weight=0.1, strength=dict(type='Logistic', by_epoch=False)),
    ],
)
train_dataloader = dict(
    batch_sampler=dict(type='MixedBatchSampler', labelled=0.5),
    dataset=dict(type='MixedVideoDataset', ann_file=source, unlabelled=target),
)
val_dataloader = own_clips  # what there are labels for; students train on them too
test_dataloader = dict(dataset=dict(ann_file=target))
