"""A student of six motions, and the config that teaches it the other two, on a few rendered clips."""

import torch
from mmengine.config import Config
from tiny_experiment import ROOT, TinyExperiment

from mmkd_video.core.registry import build_model

NUM_CLIPS = {'train': 24, 'val': 8, 'test': 16}

_OLD = """
_base_ = 'student.py'
six = dict(type='ClassVideoDataset', classes=[0, 1, 2, 3, 4, 5])
model = dict(cls_head=dict(num_classes=6))
train_dataloader = dict(dataset=six)
val_dataloader = dict(dataset=six)
test_dataloader = dict(dataset=six)
"""

_REFRESH = """
_base_ = ['student.py', {mmkd!r}]
refresh = dict(memory=2, head='balanced')
prepare = dict(teacher={old!r})
model = dict(
    _delete_=True,
    type='Distiller',
    student=_base_.model,
    teacher=dict(config={old!r}, checkpoint={checkpoint!r}),
    terms=[dict(type='KDLoss', at='logits', temperature=2.0, connector=dict(type='FirstClassesConnector'))],
)
new = dict(type='ClassVideoDataset', classes=[6, 7])
train_dataloader = dict(dataset=new)
val_dataloader = dict(dataset=new)
test_dataloader = dict(dataset=new)
"""


class RefreshExperiment(TinyExperiment):
    """Configs of an old student and of its refresh, beside those of the tiny experiment.

    Args:
        folder: For the configs.
        root: Of the clips, rendered in ``NUM_CLIPS``.
    """

    def __init__(self, folder, root):
        super().__init__(folder, root)
        self.old, self.refresh = folder / 'old.py', folder / 'refresh.py'
        self.old_checkpoint = folder / 'old.pth'
        self.old.write_text(_OLD)
        given = dict(old=str(self.old), checkpoint=str(self.old_checkpoint))
        self.refresh.write_text(_REFRESH.format(mmkd=str(ROOT / 'configs/_base_/mmkd.py'), **given))

    def save_old(self):
        """Write weights of the old student that were not trained, in place of training it."""
        torch.manual_seed(0)
        model = build_model(Config.fromfile(self.old).model)
        model.init_weights()
        torch.save(dict(meta={}, state_dict=model.state_dict()), self.old_checkpoint)
