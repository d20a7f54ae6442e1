# Reptile: the optimizer's learning rate is the part of the way to the trained weights.
_base_ = './maml_mobilenet.py'
algorithm = dict(type='Reptile', steps=5, lr=0.05, test_steps=10)
train_cfg = dict(algorithm=dict(_delete_=True, **algorithm))
val_cfg = dict(algorithm=dict(_delete_=True, **algorithm))
test_cfg = dict(algorithm=dict(_delete_=True, **algorithm))
optim_wrapper = dict(_delete_=True, optimizer=dict(type='SGD', lr=0.5, momentum=0.0, weight_decay=0.0))
