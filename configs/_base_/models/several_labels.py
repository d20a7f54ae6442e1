# Beside a model of this folder: its head scores each class by itself, so that a clip may have several labels.
# The loss is a mean over classes; times their number, its gradient is as large as that of a cross entropy.
several_labels = dict(multi_class=True, loss_cls=dict(type='BCELossWithLogits', loss_weight=8.0), average_clips='score')
