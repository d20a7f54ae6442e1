# A student that was shipped: it knows six of the eight motions, and saw no clip of the other two.
_base_ = '../students/mobilenet_motion.py'
six = dict(type='ClassVideoDataset', classes=[0, 1, 2, 3, 4, 5])
model = dict(cls_head=dict(num_classes=6))
train_dataloader = dict(dataset=six)
val_dataloader = dict(dataset=six)
test_dataloader = dict(dataset=six)
