import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer

from mmkd_video.compat import checkpoints, safe_load

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


def test_only_the_listed_names_are_allowed():
    names = {name for _, name in checkpoints.allowed_types() if not name.startswith('numpy.dtypes.')}
    assert names == {
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


def test_arrays_of_objects_are_refused(tmp_path):
    torch.save({'value': np.array([None, {}], dtype=object)}, tmp_path / 'file.pth')
    with pytest.raises(checkpoints.pickle.UnpicklingError):
        safe_load.load(tmp_path / 'file.pth')


def test_the_real_getattr_is_never_allowed():
    assert all(value is not getattr for value, _ in checkpoints.allowed_types())
    assert checkpoints.restricted_getattr(HistoryBuffer, 'mean') is HistoryBuffer.mean


@pytest.mark.parametrize(
    ('owner', 'name'),
    [(HistoryBuffer, 'register_statistics'), (HistoryBuffer, '__init__'), (np.ndarray, 'mean'), (torch, 'load')],
)
def test_no_other_attribute_is_given(owner, name):
    with pytest.raises(checkpoints.pickle.UnpicklingError, match=name):
        checkpoints.restricted_getattr(owner, name)


def test_loading_stays_weights_only_and_applying_twice_is_once():
    checkpoints.apply()
    checkpoints.allow_types()
    before = len(torch.serialization.get_safe_globals())
    checkpoints.apply()
    checkpoints.allow_types()
    assert len(torch.serialization.get_safe_globals()) == before
    assert torch.serialization._default_to_weights_only(None)
