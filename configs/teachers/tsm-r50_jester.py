# The teacher on Jester: MMAction2's TSM-R50, trained on from Something-Something v2 at a tenth of its learning rate.
_base_ = 'mmaction::recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv2-rgb.py'
zoo = 'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm'
name = 'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv2-rgb'
load_from = f'{zoo}/{name}/{name}_20230317-be0fc26e.pth'
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=27))
# In a mirror, swiping left is another class.
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'Flip']
videos = dict(video='data/jester/videos')
train_dataloader = dict(
    dataset=dict(ann_file='data/jester/jester_train_list_videos.txt', data_prefix=videos, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(ann_file='data/jester/jester_val_list_videos.txt', data_prefix=videos))
test_dataloader = dict(dataset=dict(ann_file='data/jester/jester_val_list_videos.txt', data_prefix=videos))
train_cfg = dict(max_epochs=25)
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, end=25, milestones=[10, 20], gamma=0.1)]
