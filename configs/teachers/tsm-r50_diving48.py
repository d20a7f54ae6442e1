# The teacher on Diving48: MMAction2's TSM-R50, trained on from Kinetics-400 at a tenth of its learning rate.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py'
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm'
name = 'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb'
load_from = f'{zoo}/{name}/{name}_20220831-64d69186.pth'
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=48))
videos = dict(video='data/diving48/videos')
train_dataloader = dict(dataset=dict(ann_file='data/diving48/diving48_train_list_videos.txt', data_prefix=videos))
val_dataloader = dict(dataset=dict(ann_file='data/diving48/diving48_val_list_videos.txt', data_prefix=videos))
test_dataloader = dict(dataset=dict(ann_file='data/diving48/diving48_val_list_videos.txt', data_prefix=videos))
train_cfg = dict(max_epochs=25)
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, end=25, milestones=[10, 20], gamma=0.1)]
