# The embedded clips have labels; the student is for clips of the same motions, filmed in another way, without labels.
# The I3D has learned from the labelled ones and teaches the student on both; nothing else is adapted here.
#   python tools/compare.py configs/transfer/motion.py configs/transfer/motion_dann.py --seeds 0-4
_base_ = '../distill/i3d_to_mobilenet.py'
target = 'data/motion_target'
prepare = dict(target=target)
train_dataloader = dict(
    batch_size=16,
    batch_sampler=dict(type='MixedBatchSampler', labelled=0.5),
    dataset=dict(type='MixedVideoDataset', unlabelled='../motion_target/train'),
)
test_dataloader = dict(dataset=dict(data_root=target))  # validation stays on the source
