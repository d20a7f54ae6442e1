# Prototypical network on the embedded student: a feature in which new motions are told apart by one clip of each.
_base_ = [
    '../_base_/models/tsm_mobilenet_small.py',
    '../_base_/datasets/motion_episodes.py',
    '../_base_/schedules/motion_differences.py',
    '../_base_/runtime.py',
    '../_base_/mmkd.py',
]
prepare = dict(data=_base_.data_root, motions='pairs')
algorithm = dict(type='ProtoNet', distance='cosine', scale=10.0)
train_cfg = dict(_delete_=True, type='EpisodeTrainLoop', algorithm=algorithm, max_epochs=6, val_interval=2)
val_cfg = dict(_delete_=True, type='EpisodeValLoop', algorithm=algorithm)
test_cfg = dict(_delete_=True, type='EpisodeTestLoop', algorithm=algorithm)
