# Real clips, the other way: those of set 2 have labels; the student is for those of set 1.
#   UT_INTERACTION=<folder> python tools/compare.py configs/transfer/ut_interaction_set2_to_set1.py
_base_ = './ut_interaction_set1_to_set2.py'
source, target = 'set2.txt', 'set1.txt'
own_clips = dict(dataset=dict(ann_file=source))
prepare = dict(teacher_options=dict(train_dataloader=own_clips, val_dataloader=own_clips, test_dataloader=own_clips))
model = dict(teacher=dict(checkpoint='work_dirs/teachers/i3d_ut_interaction_set2.pth'))
train_dataloader = dict(dataset=dict(ann_file=source, unlabelled=target))
val_dataloader = own_clips
test_dataloader = dict(dataset=dict(ann_file=target))
