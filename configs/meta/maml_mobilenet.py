# MAML, second order: weights from which three steps on five clips lead to five new motions.
_base_ = './protonet_mobilenet.py'
model = dict(cls_head=dict(num_classes=5))
algorithm = dict(type='MAML', steps=3, lr=0.05)
train_cfg = dict(algorithm=dict(_delete_=True, **algorithm))
val_cfg = dict(algorithm=dict(_delete_=True, **algorithm))
test_cfg = dict(algorithm=dict(_delete_=True, **algorithm))
