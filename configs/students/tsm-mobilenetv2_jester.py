# The student on Jester, alone: MMAction2's TSM-MobileNetV2 with the classes of the data set.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
model = dict(cls_head=dict(num_classes=27))
# In a mirror, swiping left is another class.
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'Flip']
videos = dict(video='data/jester/videos')
train_dataloader = dict(
    dataset=dict(ann_file='data/jester/jester_train_list_videos.txt', data_prefix=videos, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(ann_file='data/jester/jester_val_list_videos.txt', data_prefix=videos))
test_dataloader = dict(dataset=dict(ann_file='data/jester/jester_val_list_videos.txt', data_prefix=videos))
