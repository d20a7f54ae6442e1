# Something-Something v2, as MMAction2's tools/data/sthv2 lay it out. Models bring their pipelines.
# Left and right change places in a mirror; the map is that of MMAction2.
sthv2_flip_label_map = {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}
videos = dict(video='data/sthv2/videos')
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='VideoDataset', ann_file='data/sthv2/sthv2_train_list_videos.txt', data_prefix=videos),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset', ann_file='data/sthv2/sthv2_val_list_videos.txt', data_prefix=videos, test_mode=True
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
