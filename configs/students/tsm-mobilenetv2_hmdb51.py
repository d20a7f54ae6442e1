# The student on HMDB51, alone: MMAction2's TSM-MobileNetV2 with the classes of the data set, first split.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-mobilenetv2_8xb16-1x1x8-100e_kinetics400-rgb.py'
model = dict(cls_head=dict(num_classes=51))
videos = dict(video='data/hmdb51/videos')
train_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_1_videos.txt', data_prefix=videos))
val_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_1_videos.txt', data_prefix=videos))
test_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_1_videos.txt', data_prefix=videos))
