# The whole frame and both persons, in crops that were tracked beforehand and begin later than the clip, combined.
_base_ = './rgb_flow_ut_interaction.py'
stream, norm = _base_.stream, _base_.model.data_preprocessor.views.rgb
views = dict(
    scene=dict(),
    person0=dict(replace=('/videos/', '/views/person0/'), align='end', size=(48, 64)),
    person1=dict(replace=('/videos/', '/views/person1/'), align='end', size=(48, 64)),
)
train_pipeline = [dict(_base_.train_pipeline[0], views=views)]
test_pipeline = [dict(_base_.test_pipeline[0], views=views)]
model = dict(
    backbone=dict(views=dict(_delete_=True, scene=stream, person0=stream, person1='person0')),  # one for both persons
    neck=dict(views=dict(_delete_=True, scene=(32, 64), person0=(32, 64), person1='person0')),
    data_preprocessor=dict(views=dict(_delete_=True, scene=norm, person0='scene', person1='scene')),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
