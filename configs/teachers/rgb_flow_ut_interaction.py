# RGB and optical flow of the real clips, combined.
_base_ = [
    '../_base_/models/two_views_small.py',
    '../_base_/datasets/ut_interaction_3d.py',
    '../_base_/schedules/ut_interaction.py',
    '../_base_/runtime.py',
]
views = dict(rgb=dict(), flow=dict(derive=[dict(type='RGBToFlow')]))
train_pipeline = [dict(type='MultiView', pipeline=_base_.train_pipeline, views=views)]
test_pipeline = [dict(type='MultiView', pipeline=_base_.test_pipeline, views=views)]
model = dict(cls_head=dict(num_classes=6))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
randomness = dict(seed=0)  # students are compared under one teacher, which can be made again
