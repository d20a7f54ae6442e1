# Episodes of the 32 motions (tools/data/render_motion_clips.py data/motion_pairs --motions pairs): 20 classes are
# trained on, 6 validate, and 6 are new in the test. Textures differ between the three lists, too.
_base_ = './motion_clips.py'
data_root = 'data/motion_pairs'
split = dict(
    base=[0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 17, 18, 21, 22, 25, 26, 28, 31],
    validation=[9, 13, 15, 20, 24, 29],
    novel=[10, 16, 19, 23, 27, 30],
)
way, shot = 5, 1
episodes = dict(type='EpisodeBatchSampler', way=way, shot=shot, split=split)
train_dataloader = dict(
    batch_size=2,  # episodes a step
    batch_sampler=dict(**episodes, queries=5, episodes=200, part='base'),
    dataset=dict(data_root=data_root),
)
val_dataloader = dict(
    batch_size=1,
    batch_sampler=dict(**episodes, queries=5, episodes=60, part='validation', seed=0),
    dataset=dict(data_root=data_root),
)
test_dataloader = dict(
    batch_size=1,
    batch_sampler=dict(**episodes, queries=10, episodes=200, part='novel', seed=0),
    dataset=dict(data_root=data_root),
)
val_evaluator = dict(_delete_=True, type='EpisodeAccuracy')
test_evaluator = dict(_delete_=True, type='EpisodeAccuracy')
