# Fine-tuning: a student of the embedded clips learns from a tenth of the target's, which have labels: the head first.
#   python tools/train.py configs/students/mobilenet_motion.py
#   python tools/train.py configs/transfer/mobilenet_finetuned.py
_base_ = ['../students/mobilenet_motion.py', '../_base_/mmkd.py']
load_from = 'work_dirs/mobilenet_motion/epoch_6.pth'
target = 'data/motion_target'
prepare = dict(target=target)
train_dataloader = dict(dataset=dict(type='MixedVideoDataset', data_root=target, labelled_share=0.1, clips='labelled'))
val_dataloader = dict(dataset=dict(data_root=target))
test_dataloader = dict(dataset=dict(data_root=target))
optim_wrapper = dict(optimizer=dict(lr=0.01), constructor='LayerDecayConstructor', paramwise_cfg=dict(layer_decay=0.8))
lower, upper = ['backbone.conv1', 'backbone.layer[1-4]'], ['backbone.layer[567]', 'backbone.conv2']
custom_hooks = [*_base_.custom_hooks, dict(type='FreezeHook', modules=[*lower, *upper], until=1, every=1)]
