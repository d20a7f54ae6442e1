# The student on Diving48, alone: MMAction2's TSM-MobileNetV2 with the classes of the data set.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
model = dict(cls_head=dict(num_classes=48))
videos = dict(video='data/diving48/videos')
train_dataloader = dict(dataset=dict(ann_file='data/diving48/diving48_train_list_videos.txt', data_prefix=videos))
val_dataloader = dict(dataset=dict(ann_file='data/diving48/diving48_val_list_videos.txt', data_prefix=videos))
test_dataloader = dict(dataset=dict(ann_file='data/diving48/diving48_val_list_videos.txt', data_prefix=videos))
