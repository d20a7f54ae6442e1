import copy
from urllib.parse import quote

import pytest
import torch
import torch._dynamo
import zoo
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from mmkd_video.core.registry import MODELS
from mmkd_video.teachers import FrozenTeacher, Probe, TeachingStep


def teacher(**keys):
    return FrozenTeacher(config=zoo.config_of('i3d')[0], checkpoint=None, **keys)


@pytest.mark.parametrize('form', ['model', 'whole', 'file', 'distilled'])
def test_a_config_may_be_a_model_a_whole_config_a_file_or_a_distillation(form, tmp_path):
    model = zoo.config_of('i3d')[0]
    if form == 'model':
        config = model
    elif form == 'whole':
        config = Config(dict(model=model))
    elif form == 'distilled':
        config = dict(model=dict(type='Distiller', student=model, teacher=None, terms=[]))
    else:
        Config(dict(model=model)).dump(tmp_path / 'i3d.py')
        config = str(tmp_path / 'i3d.py')
    built = FrozenTeacher(config=config, checkpoint=None)
    assert type(built.module).__name__ == 'Recognizer3D'
    assert (built.config is None) is (form == 'model')


@pytest.mark.parametrize('switch', ['nothing', 'the model', 'the backbone'])
def test_drop_path_is_off_whatever_is_switched_to_training(switch):
    config, (frames, height, width) = zoo.config_of('swin3d')
    config['backbone']['drop_path_rate'] = 0.5
    built = FrozenTeacher(config=config, checkpoint=None)
    built.tap(['logits', 'backbone'])
    clip = torch.randn(2, 1, 3, frames, height, width, generator=torch.Generator().manual_seed(0))
    first = built.features(clip)
    if switch != 'nothing':
        (built.module if switch == 'the model' else built.module.backbone).train()
    second = built.features(clip)
    assert all(torch.equal(first[tap], second[tap]) for tap in first)


def test_the_users_config_is_not_changed():
    config = zoo.config_of('i3d')[0]
    before = copy.deepcopy(config)
    FrozenTeacher(config=config, checkpoint=None)
    assert config == before


def test_probabilities_are_averaged_over_clips_and_sum_to_one():
    built = teacher(classes=[3, 1])
    config, size = zoo.config_of('i3d')
    data = zoo.batch_for(config, size)
    data['inputs'] = [torch.cat([clip, clip.flip(-1)]) for clip in data['inputs']]
    found = built.predict(copy.deepcopy(data))
    assert found.shape == (2, 2) and torch.allclose(found.sum(1), torch.ones(2))
    inputs = built.data_preprocessor(data, False)['inputs'].flatten(0, 1)[:, None]
    alone = built.module(inputs, stage='head')[:, [3, 1]].softmax(-1).unflatten(0, (2, 2)).mean(1)
    assert torch.allclose(found, alone, atol=1e-5)


def test_the_fingerprint_tells_weights_and_classes_apart():
    torch.manual_seed(0)
    first = teacher()
    torch.manual_seed(0)
    same, subset = teacher(), None
    torch.manual_seed(0)
    subset = teacher(classes=[0, 1])
    other = teacher()
    assert first.fingerprint == same.fingerprint
    assert len({first.fingerprint, subset.fingerprint, other.fingerprint}) == 3


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / 'trapped'), 'w'))

    torch.save(dict(state_dict={}, trap=Trap()), tmp_path / 'trap.pth')
    with pytest.raises(Exception, match='(?i)weights|refused|unsafe'):
        FrozenTeacher(config=zoo.config_of('i3d')[0], checkpoint=str(tmp_path / 'trap.pth'))
    assert not (tmp_path / 'trapped').exists()


def test_module_prefixes_of_wrapped_checkpoints_are_dropped(tmp_path):
    trained = MODELS.build(zoo.config_of('i3d')[0])
    torch.save({f'module.{key}': value for key, value in trained.state_dict().items()}, tmp_path / 'ddp.pth')
    built = FrozenTeacher(config=zoo.config_of('i3d')[0], checkpoint=str(tmp_path / 'ddp.pth'))
    assert all(torch.equal(built.module.state_dict()[key], value) for key, value in trained.state_dict().items())


def test_a_view_of_another_name_is_refused():
    with pytest.raises(ValueError, match="expected 'own' or 'student'"):
        teacher(view='mine')


@pytest.mark.parametrize('form', ['file://{path}', 'file://localhost{path}', 'FILE:{path}'])
def test_a_checkpoint_may_be_the_address_of_a_file(form, tmp_path):
    config = zoo.config_of('i3d')[0]
    path = tmp_path / 'of a teacher.pth'
    torch.save({'state_dict': teacher().module.state_dict()}, path)
    address = form.format(path=quote(str(path)))
    built, plain = (FrozenTeacher(config=config, checkpoint=each) for each in (address, str(path)))
    assert built.fingerprint == plain.fingerprint
    bare = torch.nn.Module()
    load_checkpoint(bare, address)  # MMEngine's own, as `load_from` does


@pytest.mark.parametrize('address', ['file:///nowhere/i3d.pth', 'file://elsewhere/i3d.pth'])
def test_the_address_of_a_file_that_is_not_there_is_told(address):
    with pytest.raises((FileNotFoundError, ValueError), match=r'does not exist|machine .elsewhere.*file:///<abs'):
        FrozenTeacher(config=zoo.config_of('i3d')[0], checkpoint=address)


class FullMemory(torch.OutOfMemoryError):
    pass


@pytest.mark.parametrize(
    'error', [RuntimeError('odd'), FullMemory('no room'), torch._dynamo.exc.Unsupported('gave up')]
)
@pytest.mark.parametrize('frames', [8, 12])
def test_advice_about_the_view_is_given_only_where_the_view_is_another(monkeypatch, error, frames):
    config, (known, height, width) = zoo.config_of('i3d')
    built = FrozenTeacher(config=config, checkpoint=None)
    built.bind(['logits'], Probe(None, {}, (known, height, width)))

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(built.module, 'extract_feat', fail)
    step = TeachingStep(torch.zeros(2, 1, 3, frames, height, width), None, [], None, None, None)
    with pytest.raises((RuntimeError, ValueError)) as caught:
        built.teach(step)
    about_the_view = type(error) is RuntimeError and frames != known
    assert ('DistillViews' in str(caught.value)) is about_the_view
    assert about_the_view or caught.value is error
