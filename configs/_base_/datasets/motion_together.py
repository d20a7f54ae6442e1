# Clips of two sprites, each in a motion of its own (tools/data/render_motion_clips.py data/motion_together --motions
# together): two labels a clip, for models that see 8 frames.
_base_ = './motion_clips.py'
data_root = 'data/motion_together'
several = dict(data_root=data_root, multi_class=True, num_classes=8)
train_dataloader = dict(dataset=several)
val_dataloader = dict(dataset=several)
test_dataloader = dict(dataset=several)
val_evaluator = dict(metric_list='mean_average_precision')
test_evaluator = dict(metric_list='mean_average_precision')
