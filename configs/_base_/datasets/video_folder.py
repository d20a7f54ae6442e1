# Your own videos: 8 frames spread over each, whatever its size and length. The folder holds one for each class, or
# train.txt, val.txt and test.txt, one `path label` a line, with classes.txt, one name a line. It comes from the
# environment, so that teacher and student read the same one:
#   CLIPS=<folder> python tools/train.py ...
# Few clips need much augmentation: another part of the video, another crop, other levels. No flips: they would make a
# 'left' a 'right'. Where that does not matter, FLIP=0.5 flips every second clip.
_base_ = './motion_clips.py'
data_root = '{{$CLIPS:data/my_clips}}'
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SpanSample', clip_len=8),
    dict(type='DecordDecode'),
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='Flip', flip_ratio=float('{{$FLIP:0}}')),
    dict(type='JitterLevels'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='DecordInit'),
    dict(type='SpanSample', clip_len=8, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(72, 72), keep_ratio=False),
    dict(type='CenterCrop', crop_size=64),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(type='MixedVideoDataset', clips='labelled', data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(batch_size=16, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = dict(batch_size=16, dataset=dict(data_root=data_root, pipeline=test_pipeline))
