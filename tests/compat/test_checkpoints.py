import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import checkpoint as loaders
from mmengine.utils import dl_utils

from mmkd_video.compat import checkpoints, safe_load, stand_ins

# What a training run of MMEngine leaves in its message hub.
LOAD = """
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
loaded = CheckpointLoader.load_checkpoint({path!r}, 'cpu')
print(loaded['hub']['loss'].mean(), loaded['hub']['loss'].statistics('max'))
"""


@pytest.fixture
def checkpoint(tmp_path):
    buffer = HistoryBuffer()
    buffer.update(1.0)
    buffer.update(3.0)
    path = tmp_path / 'epoch_1.pth'
    torch.save({'hub': {'loss': buffer}, 'state_dict': {'weight': torch.ones(2)}}, path)
    return str(path)


def test_mmengine_cannot_read_its_checkpoint_without_and_can_with(breaks_without, healthy_with, checkpoint):
    code = LOAD.format(path=checkpoint)
    breaks_without(code, 'HistoryBuffer')
    assert healthy_with(code).split()[-2:] == ['2.0', '3.0']


def test_a_real_runner_resumes_from_its_own_checkpoint(breaks_without, healthy_with, tmp_path):
    code = f"""
        import torch
        from mmengine.model import BaseModel
        from mmengine.runner import Runner

        class Model(BaseModel):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(1, 1)
            def forward(self, x, mode='tensor'):
                return dict(loss=self.layer(x).sum())

        def train(epochs, resume):
            Runner(Model(), {str(tmp_path)!r}, train_dataloader=dict(dataset=[torch.ones(1)] * 2, batch_size=1,
                   sampler=dict(type='DefaultSampler')), train_cfg=dict(by_epoch=True, max_epochs=epochs),
                   optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), resume=resume, log_level='ERROR',
                   experiment_name='x' + str(epochs),
                   default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1))).train()
        train(1, False)
        train(2, True)
        """
    breaks_without(code, 'HistoryBuffer')
    healthy_with(code)


@pytest.mark.parametrize(
    'value',
    [
        np.arange(3),
        np.float32(1.5),
        np.array([1.0, 2.0]),
        np.array(['walk', 'run']),
        np.bool_(True),
        np.zeros((0,)),
        np.array([1 + 2j]),
    ],
    ids=lambda value: f'{type(value).__name__}-{value.dtype}',
)
def test_numbers_and_text_of_numpy_are_read(tmp_path, value):
    torch.save({'value': value}, tmp_path / 'file.pth')
    loaded = safe_load.load(tmp_path / 'file.pth')['value']
    assert type(loaded) is type(value)
    np.testing.assert_array_equal(loaded, value)


def test_only_the_listed_names_stand_in():
    assert {name for _, name in stand_ins.stand_ins()} == {
        'mmengine.logging.history_buffer.HistoryBuffer',
        'builtins.getattr',
        'builtins.bytes',
        'numpy.ndarray',
        'numpy.dtype',
        'numpy.core.multiarray._reconstruct',
        'numpy.core.multiarray.scalar',
        'numpy._core.multiarray._reconstruct',
        'numpy._core.multiarray.scalar',
    }


def test_nothing_that_stands_in_is_the_real_thing():
    real = (getattr, bytes, np.ndarray, np.dtype, HistoryBuffer)
    assert not any(value is each for value, _ in stand_ins.stand_ins() for each in real)


def test_what_was_allowed_elsewhere_is_not_allowed_here_and_is_afterwards(tmp_path):
    torch.save({'value': np.ones(2)}, tmp_path / 'file.pth')
    before = torch.serialization.get_safe_globals()
    with torch.serialization.safe_globals([(np.ndarray, 'numpy.ndarray'), (np.dtype, 'numpy.dtype')]):
        inside = torch.serialization.get_safe_globals()
        np.testing.assert_array_equal(safe_load.load(tmp_path / 'file.pth')['value'], np.ones(2))
        assert set(torch.serialization.get_safe_globals()) == set(inside)
    assert set(torch.serialization.get_safe_globals()) == set(before)


def test_arrays_of_objects_are_refused(tmp_path):
    torch.save({'value': np.array([None, {}], dtype=object)}, tmp_path / 'file.pth')
    with pytest.raises(safe_load.UnsafeCheckpointError, match="numpy type 'O8'"):
        safe_load.load(tmp_path / 'file.pth')


@pytest.mark.parametrize('name', ['register_statistics', '__init__', '__reduce__'])
def test_no_other_attribute_is_given(name):
    assert stand_ins.statistic(stand_ins.LogBuffer, 'mean') == 'mean'
    with pytest.raises(checkpoints.pickle.UnpicklingError, match=name):
        stand_ins.statistic(stand_ins.LogBuffer, name)
    with pytest.raises(checkpoints.pickle.UnpicklingError, match='mean'):
        stand_ins.statistic(HistoryBuffer, 'mean')


def test_applying_twice_is_once():
    checkpoints.apply()
    patched = loaders.CheckpointLoader.load_checkpoint.__func__, loaders.torch
    checkpoints.apply()
    assert (loaders.CheckpointLoader.load_checkpoint.__func__, loaders.torch) == patched
    assert loaders.load_url is dl_utils.load_url is checkpoints.load_url
