# RGB and optical flow of the same frames, combined.
_base_ = [
    '../_base_/models/two_views_small.py',
    '../_base_/datasets/motion_clips_3d.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
]
views = dict(rgb=dict(), flow=dict(derive=[dict(type='RGBToFlow')]))
train_pipeline = [dict(type='MultiView', pipeline=_base_.train_pipeline, views=views)]
test_pipeline = [dict(type='MultiView', pipeline=_base_.test_pipeline, views=views)]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
randomness = dict(seed=0)
