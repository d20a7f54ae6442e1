# The README's pair, from answers that the teacher gives once; tools/train.py makes the cache, and what that needs.
_base_ = '../distill/i3d_to_mobilenet_few_labels.py'
live = 'configs/distill/i3d_to_mobilenet_few_labels.py'
prepare = dict(cache=dict(config=live, views=8))
model = dict(
    teacher=dict(_delete_=True, type='CachedTeacher', cache='work_dirs/cache/i3d_to_mobilenet_few_labels'),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
