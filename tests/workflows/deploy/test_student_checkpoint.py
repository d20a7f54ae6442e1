"""A student's checkpoint: read once, rebuilt as every compression in it asks, those of users too."""

import io
import os

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmkd_video.cli.prune import main as prune
from mmkd_video.compat import safe_load
from mmkd_video.core.compression import Compression, compressions, in_order
from mmkd_video.core.registry import COMPRESSIONS, build_model
from mmkd_video.pruning import Pruning, PruningHistory
from mmkd_video.quantization import Quantization
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.train.prepare import publish


class LowRank(Compression):
    """The classifier as a product of two thin matrices."""

    key = 'low_rank'
    may_follow = ('pruning',)

    @classmethod
    def model_config(cls, model, content):
        return dict(type='LowRankRecognizer', recognizer=dict(model), rank=content['rank'])


class Rounded(Compression):
    """Weights without their last bits: any model takes them."""

    key = 'rounded'
    may_follow = ('low_rank', 'pruning')
    needed = False

    @classmethod
    def apply(cls, model, content):
        model.bits = content['bits']


def build_low_rank(recognizer, rank, data_preprocessor=None):
    model = build_model(recognizer)
    head = model.cls_head
    head.fc_cls = nn.Sequential(nn.Linear(head.in_channels, rank, bias=False), nn.Linear(rank, head.num_classes))
    return model


@pytest.fixture
def third_party():
    from mmkd_video.core.registry import MODELS

    for kind in (Rounded, LowRank):
        COMPRESSIONS.register_module(module=kind)
    MODELS.register_module(name='LowRankRecognizer', module=build_low_rank)
    yield
    for name in ('LowRank', 'Rounded'):
        COMPRESSIONS.module_dict.pop(name)
    MODELS.module_dict.pop('LowRankRecognizer')


@pytest.fixture
def compressed(tiny, third_party):
    """An experiment whose student is of low rank and rounded, in ``student.pth``; and its weights."""
    model = build_low_rank(read_config(str(tiny.student)).model, 2)
    checkpoint = dict(meta=dict(epoch=3), state_dict=model.state_dict(), rounded=dict(bits=4), low_rank=dict(rank=2))
    torch.save(checkpoint, tiny.folder / 'student.pth')
    return tiny, model.state_dict()


def test_compressions_of_users_are_rebuilt(compressed):
    tiny, weights = compressed
    found = StudentCheckpoint.read(tiny.folder / 'student.pth')
    assert found.meta == dict(epoch=3) and found.pruning is None and found.quantization is None
    for path in (tiny.student, tiny.distill):
        model = found.build(read_config(str(path)))
        assert all(torch.equal(value, model.state_dict()[key]) for key, value in weights.items())
        assert not hasattr(model, 'bits') and not model.training
    assert found.build(read_config(str(tiny.student)), as_trained=True).bits == 4


def test_a_config_is_made_to_fit(compressed):
    tiny, _ = compressed
    found = StudentCheckpoint.read(tiny.folder / 'student.pth')
    plain, distillation = (Config.fromfile(path) for path in (tiny.student, tiny.distill))
    found.fit_config(plain)
    found.fit_config(distillation)
    for model in (plain.model, distillation.model.student):
        assert (model.type, model.rank, model.recognizer.type) == ('LowRankRecognizer', 2, 'Recognizer2D')


def test_publishing_keeps_what_every_compression_wrote(third_party, tmp_path):
    torch.save(
        dict(meta={}, state_dict={}, optimizer={}, low_rank=1, rounded=2, pruning='3', other=4),
        tmp_path / 'epoch_1.pth',
    )
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    publish(tmp_path, tmp_path / 'a.pth')
    assert set(safe_load.load(tmp_path / 'a.pth')) == {'meta', 'state_dict', 'low_rank', 'rounded', 'pruning'}


@pytest.mark.parametrize('kind', ['checkpoint', 'JSON file', 'no file'])
def test_a_path_in_the_place_of_a_history_is_never_opened(tiny, tmp_path, monkeypatch, kind):
    history = PruningHistory([]).to_json()
    model = build_model(read_config(str(tiny.student)).model)
    named = tmp_path / ('named.json' if kind == 'JSON file' else 'named.pth')
    if kind == 'JSON file':
        named.write_text(history)
    elif kind == 'checkpoint':
        torch.save(dict(meta={}, state_dict={}, pruning=history), named)
    torch.save(dict(meta={}, state_dict=model.state_dict(), pruning=str(named)), tmp_path / 'bad.pth')
    found, opened = StudentCheckpoint.read(tmp_path / 'bad.pth'), []
    monkeypatch.setattr(PruningHistory, 'load', lambda *given: opened.append(given))
    monkeypatch.setattr(safe_load, 'load', lambda *given, **_: opened.append(given))
    with pytest.raises(ValueError, match='pruning history.*JSON text'):
        found.build(read_config(str(tiny.student)))
    assert opened == []


def test_those_that_do_not_go_together_are_told(third_party):
    assert set(compressions()) == {'pruning', 'quantization', 'low_rank', 'rounded'}
    assert in_order(['quantization', 'pruning']) == [Pruning, Quantization]
    assert in_order(['rounded', 'pruning', 'low_rank']) == [Pruning, LowRank, Rounded]
    with pytest.raises(ValueError, match="compressions 'low_rank' and 'quantization' do not go together"):
        in_order(['quantization', 'low_rank'])


def test_a_student_with_a_compression_that_pruning_cannot_follow_is_not_pruned(compressed, capsys):
    tiny, _ = compressed
    with pytest.raises(SystemExit):
        prune([str(tiny.student), str(tiny.folder / 'student.pth'), '--target-params=0.5', '--out', 'a.pth'])
    assert "holds the compression 'low_rank', and such a student is not pruned" in capsys.readouterr().err


def test_a_command_reads_the_checkpoint_once(tiny, monkeypatch):
    model = build_model(read_config(str(tiny.student)).model)
    torch.save(dict(meta={}, state_dict=model.state_dict()), tiny.folder / 'student.pth')
    read, load = [], CheckpointLoader.load_checkpoint
    monkeypatch.setattr(CheckpointLoader, 'load_checkpoint', lambda *a, **b: (read.append(a[0]), load(*a, **b))[1])
    source, out = tiny.folder / 'student.pth', tiny.folder / 'a.pth'
    prune([str(tiny.student), str(source), '--target-params=0.9', '--out', str(out)])
    assert read == [str(source)]


def flipped(whole):
    middle = whole.index(b'weights that are long enough to be found')
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


DAMAGES = {
    'no weights': (lambda whole: saved_as({}), 'holds no state_dict; expected a checkpoint of MMEngine'),
    'other things': (lambda whole: saved_as(dict(state_dict=dict(a='text'))), 'holds no state_dict'),
    'a list': (lambda whole: saved_as([torch.zeros(1)]), 'holds no state_dict'),
    'half': (lambda whole: whole[: len(whole) // 2], 'cannot be read'),
    'empty': (lambda whole: b'', 'cannot be read'),
    'a flipped bit': (flipped, 'cannot be read'),
}


def saved_as(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(('damage', 'said'), DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_no_checkpoint_is_refused(damage, said, tmp_path):
    mark = torch.frombuffer(bytearray(b'weights that are long enough to be found'), dtype=torch.uint8)
    path = tmp_path / 'student.pth'
    path.write_bytes(damage(saved_as(dict(state_dict=dict(weight=mark)))))
    with pytest.raises(ValueError, match=said) as caught:
        StudentCheckpoint.read(path)
    assert str(path) in str(caught.value)


def test_a_checkpoint_that_would_run_something_is_refused(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'),)

    path = tmp_path / 'student.pth'
    path.write_bytes(saved_as(dict(state_dict=dict(weight=torch.zeros(1)), low_rank=Hostile())))
    with pytest.raises(ValueError, match='refused, because it asks for .posix.mkdir'):
        StudentCheckpoint.read(path)
    assert not (tmp_path / 'ran').exists()
