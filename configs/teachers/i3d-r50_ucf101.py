# The teacher on UCF101: MMAction2's I3D-R50, trained on from Kinetics-400 at a tenth of its learning rate.
_base_ = 'mmaction::recognition/i3d/i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py'
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/i3d'
name = 'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb'
load_from = f'{zoo}/{name}/{name}_20220812-e213c223.pth'
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=101))
videos = dict(video='data/ucf101/videos')
train_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_train_split_1_videos.txt', data_prefix=videos))
val_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_val_split_1_videos.txt', data_prefix=videos))
test_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_val_split_1_videos.txt', data_prefix=videos))
train_cfg = dict(max_epochs=25)
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, end=25, milestones=[10, 20], gamma=0.1)]
