"""Answers of a teacher that were made once teach as the teacher itself does, about the very same clips."""

import copy
import shutil

import clips
import pytest
import tiny
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope

from mmkd_video.cli import cache as command
from mmkd_video.compat import safe_load
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.core.replay import Replay
from mmkd_video.datasets import SampleKey, SeededDataset, build_replayed
from mmkd_video.teachers import CachedTeacher, FrozenTeacher
from mmkd_video.teachers.cache import CacheReader
from mmkd_video.workflows.cache.caching import cache_teacher

VIEWS, SEED = 2, 5
TAPS = ['logits', 'backbone.layer1']
JITTER = dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    return clips.make_set(tmp_path_factory.mktemp('videos'), count=5)


def pipeline():
    steps = clips.pipeline(layout='NCTHW')
    return [*steps[:5], JITTER, *steps[5:]]


def teacher_model():
    """As wide as the student, so that no connector with weights of its own lies between them."""
    return tiny.recognizer(8)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'teacher.pth'
    torch.manual_seed(3)
    torch.save(dict(state_dict=build_model(teacher_model()).state_dict()), path)
    return str(path)


def live(weights):
    return dict(config=teacher_model(), checkpoint=weights)


def config_of(videos, work_dir, teacher, steps=None, workers=0, **extra):
    model = tiny.distiller()
    model['teacher'] = teacher
    config = Config(
        clips.runner_config(
            videos, work_dir, model, steps or pipeline(), workers=workers, epochs=3,
            experiment_name=f'{work_dir.name}-{len(str(extra))}',
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05)), log_processor=dict(window_size=1),
        )
    )  # fmt: skip
    config.custom_hooks = [dict(type='DistillHook'), dict(type='ReproducibleHook')]
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    config.merge_from_dict(extra)
    return config


@pytest.fixture(scope='module')
def cache(videos, weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp('cached')
    config = config_of(videos, folder, live(weights))
    done = cache_teacher(config, folder / 'cache', views=VIEWS, seed=SEED)
    assert (done.clips, done.computed, done.absent) == (5 * VIEWS, 5 * VIEWS, 0)
    return folder / 'cache'


@MODELS.register_module(force=True)
class ReplayedTeacher(FrozenTeacher):
    """The teacher itself, about the augmentations of a cache."""

    def __init__(self, cache, **kwargs):
        super().__init__(**kwargs)
        self.replay = CachedTeacher(cache).replay


class Seen(Hook):
    """Keeps the clips of every step, by sample and view."""

    def __init__(self):
        self.clips, self.order = {}, []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if 'sample_view' not in data_batch['data_samples'][0]:
            return
        for clip, sample in zip(data_batch['inputs'], data_batch['data_samples'], strict=True):
            key = sample.sample_idx, sample.sample_view
            assert torch.equal(self.clips.setdefault(key, clip), clip)
            self.order.append((*key, runner.epoch))


def train(config):
    """Return the losses of each step, and what was seen."""
    from mmengine.runner import Runner

    runner, losses, seen = Runner.from_cfg(config), [], Seen()
    runner.register_hook(seen, priority='LOWEST')
    parse = runner.model.parse_losses

    def kept(found):
        losses.append({key: float(value.detach()) for key, value in found.items() if 'loss' in key})
        return parse(found)

    runner.model.parse_losses = kept
    torch.manual_seed(0)
    runner.train()
    return losses, seen


def drawn(videos, key, seed=SEED):
    """The clip that the cached pass saw."""
    loader = clips.runner_config(videos, videos, {}, pipeline())['train_dataloader']
    replay = Replay(seed, VIEWS, 5, '', '', '')
    with DefaultScope.overwrite_default_scope('mmaction'):
        return SeededDataset(build_replayed(loader, seed), seed, replay=replay)[SampleKey(*key)]['inputs']


@pytest.fixture(scope='module')
def trained(videos, cache, tmp_path_factory):
    return train(config_of(videos, tmp_path_factory.mktemp('a'), dict(type='CachedTeacher', cache=str(cache))))


@pytest.mark.slow
def test_a_training_sees_the_clips_of_the_cached_pass_bit_for_bit(videos, trained):
    _, seen = trained
    assert set(seen.clips) == {(sample, view) for sample in range(5) for view in range(VIEWS)}
    assert {(view, epoch) for _, view, epoch in seen.order} == {(0, 0), (1, 1), (0, 2)}
    torch.manual_seed(99)
    for key, clip in seen.clips.items():
        assert torch.equal(clip, drawn(videos, key)), key
    assert not torch.equal(seen.clips[0, 0], seen.clips[0, 1])
    assert not torch.equal(seen.clips[0, 0], drawn(videos, (0, 0), seed=SEED + 1))


@pytest.mark.slow
def test_workers_and_another_seed_of_the_training_see_the_same(videos, cache, trained, tmp_path):
    config = config_of(
        videos, tmp_path, dict(type='CachedTeacher', cache=str(cache)), workers=1, randomness=dict(seed=8)
    )
    losses, seen = train(config)
    assert seen.clips.keys() == trained[1].clips.keys()
    assert all(torch.equal(clip, trained[1].clips[key]) for key, clip in seen.clips.items())
    assert [key[:2] for key in seen.order] != [key[:2] for key in trained[1].order]  # in another order


@pytest.mark.slow
def test_a_training_takes_several_clips_of_a_decoded_video(videos, cache, tmp_path):
    teacher = dict(type='CachedTeacher', cache=str(cache), clips_per_video=2)
    losses, seen = train(config_of(videos, tmp_path, teacher))
    assert len(losses) == 9 and all(step['loss_kd'] >= 0 for step in losses)
    assert [key[:2] for key in seen.order[1::2]] == [(sample, 1) for sample, view, _ in seen.order[::2]]
    assert {sample for sample, _, epoch in seen.order if epoch < 2} == set(range(5))
    for key, clip in seen.clips.items():
        assert torch.equal(clip, drawn(videos, key)), key


@pytest.mark.slow
def test_a_resumed_training_in_half_precision_ends_as_an_uninterrupted_one(videos, cache, tmp_path):
    teacher = dict(type='CachedTeacher', cache=str(cache), clips_per_video=2)

    def run(name, **extra):
        wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
        config = config_of(videos, tmp_path / name, teacher, optim_wrapper=wrapper, **extra)
        config.custom_hooks = [*config.custom_hooks, dict(type='EMAHook')]
        (tmp_path / name).mkdir(exist_ok=True)
        losses, _ = train(config)
        return losses, safe_load.load(tmp_path / name / 'epoch_3.pth')

    losses, whole = run('whole')
    shutil.copytree(tmp_path / 'whole', tmp_path / 'again')
    for later in ('epoch_2.pth', 'epoch_3.pth'):
        (tmp_path / 'again' / later).unlink()
    resumed, again = run('again', load_from=str(tmp_path / 'again' / 'epoch_1.pth'), resume=True)
    assert resumed == losses[3:]
    plain = build_model(tiny.recognizer()).state_dict()
    assert whole['state_dict'].keys() == plain.keys() and 'ema_state_dict' in whole
    for key, value in whole['state_dict'].items():
        assert torch.equal(value, again['state_dict'][key]), key


@pytest.mark.slow
def test_losses_are_those_of_the_teacher_itself(videos, cache, weights, trained, tmp_path):
    teacher = dict(type='ReplayedTeacher', cache=str(cache), **live(weights))
    losses, seen = train(config_of(videos, tmp_path, teacher))
    assert seen.order == trained[1].order
    for cached, itself in zip(trained[0], losses, strict=True):
        assert cached.keys() == itself.keys() and {'loss_kd', 'loss_fitnet'} <= cached.keys()
        for name, value in cached.items():
            assert value == pytest.approx(itself[name], rel=2e-3, abs=1e-4), name


@pytest.mark.slow
def test_answers_are_those_of_the_teacher_in_half_precision(videos, cache, weights):
    model = MODELS.build(dict(tiny.distiller(), teacher=live(weights)))
    found = CacheReader(cache).read([3, 1], [1, 0])
    for place, key in enumerate([(3, 1), (1, 0)]):
        clip = model.teachers['teacher'].data_preprocessor(dict(inputs=[drawn(videos, key)], data_samples=[]))['inputs']
        answers = model.teachers['teacher'].features(clip)
        for tap in TAPS:
            assert torch.allclose(found[tap][place], answers[tap][0], rtol=2e-3, atol=2e-3), tap


@pytest.mark.slow
def test_a_stopped_pass_goes_on(videos, cache, weights, tmp_path):
    shutil.copytree(cache, tmp_path / 'cache')
    (tmp_path / 'cache' / 'view00001_part000000.safetensors').unlink()
    config = config_of(videos, tmp_path, live(weights))
    done = cache_teacher(config, tmp_path / 'cache', views=VIEWS, seed=SEED, batch_size=4)
    assert (done.clips, done.computed) == (10, 5)
    for name in ('view00000_part000000.safetensors', 'view00001_part000000.safetensors'):
        ours, theirs = (CacheReader(folder).read(range(5), [1] * 5) for folder in (cache, tmp_path / 'cache'))
        assert all(torch.allclose(ours[tap], theirs[tap], rtol=2e-3, atol=1e-3) for tap in TAPS), name


@pytest.mark.slow
def test_the_best_classes_alone_teach_too(videos, weights, tmp_path):
    config = config_of(videos, tmp_path, live(weights))
    cache_teacher(config, tmp_path / 'cache', views=1, topk=2, taps=['logits'])
    model = dict(tiny.distiller([tiny.KD]), teacher=dict(type='CachedTeacher', cache=str(tmp_path / 'cache')))
    assert MODELS.build(model).teachers['teacher'].num_classes == 5


def build(cache, terms=(tiny.KD,), student=None, **teacher):
    teacher = dict(type='CachedTeacher', cache=str(cache), **teacher)
    return MODELS.build(dict(tiny.distiller(terms, student), teacher=teacher))


def test_a_tap_that_is_not_cached_is_told_with_those_that_are(cache):
    term = dict(type='FitNetLoss', at=('backbone.layer1', 'backbone.conv1'))
    with pytest.raises(KeyError, match="does not hold; expected one of 'logits', 'backbone.layer1'; or make a new"):
        build(cache, [term])


def test_more_clips_of_a_video_than_augmentations_are_told(cache):
    with pytest.raises(ValueError, match=r'teacher.clips_per_video: got 3; expected at most 2, the number of augm'):
        build(cache, clips_per_video=3)


def test_another_teacher_is_told(cache, weights):
    build(cache, teacher=live(weights))
    with pytest.raises(ValueError, match='holds answers of another teacher'):
        build(cache, teacher=dict(config=teacher_model(), checkpoint=None))


@pytest.mark.slow
def test_what_the_cache_does_not_hold_is_asked_of_the_teacher(cache, weights):
    itself = MODELS.build(dict(tiny.distiller(), teacher=live(weights))).teachers['teacher']
    model = build(cache, teacher=live(weights))
    teacher = model.teachers['teacher']
    for ours, theirs in zip(teacher.classifier(), itself.classifier(), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(*(each.norm_before('backbone.layer1:pre') for each in (teacher, itself)), strict=True):
        assert torch.equal(ours, theirs)
    pooled = torch.rand(2, 8, requires_grad=True)
    assert torch.equal(teacher.classify(pooled), itself.classify(pooled))
    model.loss(*batch_of(model))
    assert teacher._live is None and teacher.classify(pooled).requires_grad  # no memory in training
    data = dict(inputs=[torch.randint(0, 255, (1, 3, 8, 32, 32), dtype=torch.uint8)] * 2, data_samples=[None] * 2)
    assert torch.allclose(teacher.predict(dict(data)), itself.predict(dict(data)))


def batch_of(model):
    from mmaction.structures import ActionDataSample

    samples = [ActionDataSample().set_gt_label(1) for _ in range(2)]
    for index, sample in enumerate(samples):
        sample.set_metainfo(dict(sample_idx=index, sample_view=1))
    model.set_progress(0, 0, 1, 9)
    return torch.rand(2, 1, 3, 8, 32, 32), samples


def test_what_nobody_can_answer_is_told(cache):
    teacher = build(cache).teachers['teacher']
    said = 'got a CachedTeacher, which has no linear classifier; give it teacher=dict'
    with pytest.raises(ValueError, match=said):
        teacher.classify(torch.rand(2, 8))
    with pytest.raises(ValueError, match='has no predictions; give it teacher=dict'):
        teacher.predict({})


@pytest.mark.slow
def test_blending_is_refused(cache, weights, videos, tmp_path):
    student = tiny.recognizer()
    student['data_preprocessor']['blending'] = dict(type='MixupBlending', num_classes=5, alpha=0.2)
    with pytest.raises(ValueError, match='blending: got MixupBlending beside cached answers of teacher'):
        build(cache, student=student)
    config = config_of(videos, tmp_path, live(weights))
    config.model.student = student
    with pytest.raises(ValueError, match='blending: got MixupBlending, which mixes the clips'):
        cache_teacher(config, tmp_path / 'cache')


def other_pipeline(videos, folder):
    return dict(steps=clips.pipeline(layout='NCTHW'))


def other_length(videos, folder):
    return dict(videos=clips.make_set(folder / 'more', count=6))


def other_order(videos, folder):
    shutil.copytree(videos, folder / 'other')
    lines = (videos / 'list.txt').read_text().splitlines()
    (folder / 'other' / 'list.txt').write_text('\n'.join(reversed(lines)) + '\n')
    return dict(videos=folder / 'other')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (other_pipeline, 'another training pipeline'),
        (other_length, 'answers for 5 samples, the training set has 6'),
        (other_order, 'other samples, or in another order'),
    ],
)
def test_a_training_that_the_cache_is_not_about_is_told(videos, cache, tmp_path, change, said):
    given = dict(dict(videos=videos), **change(videos, tmp_path))
    config = config_of(work_dir=tmp_path, teacher=dict(type='CachedTeacher', cache=str(cache)), **given)
    with pytest.raises(ValueError, match=said) as error:
        train(config)
    assert '\n' not in str(error.value)


@pytest.mark.slow
def test_a_training_that_does_not_replay_is_told(videos, cache, tmp_path):
    config = config_of(videos, tmp_path, dict(type='CachedTeacher', cache=str(cache)))
    config.custom_hooks = [dict(type='DistillHook')]
    with pytest.raises(ValueError, match="add dict.type='ReproducibleHook'. to custom_hooks"):
        train(config)


@pytest.mark.slow
def test_caches_of_different_augmentations_are_refused(videos, cache, weights, tmp_path):
    config = config_of(videos, tmp_path, live(weights))
    cache_teacher(config, tmp_path / 'cache', views=1, seed=SEED, taps=['logits'])
    ours = dict(type='CachedTeacher', cache=str(cache))
    other = config_of(videos, tmp_path, dict(a=ours, b=dict(ours, cache=str(tmp_path / 'cache'))))
    other.model.terms = [dict(tiny.KD, teacher='a'), dict(tiny.KD, teacher='b', name='second')]
    other.model = copy.deepcopy(other.model)
    with pytest.raises(ValueError, match='different augmentations: a .seed 5, 2 views, 1 clips of a video., b'):
        train(other)


@pytest.mark.slow
def test_the_command_makes_a_cache_and_goes_on(videos, weights, tmp_path, capsys):
    config_of(videos, tmp_path, live(weights)).dump(tmp_path / 'mine.py')
    words = [str(tmp_path / 'mine.py'), '--out', str(tmp_path / 'cache'), '--views', '2', '--topk', '2']
    command.main([*words, '--taps', 'logits'])
    told = capsys.readouterr()
    assert 'holds answers to 10 clips' in told.out and '10 were made now, 0 of them are missing' in told.out
    assert 'caching 10/10 clips' in told.err
    command.main([*words, '--taps', 'logits'])
    assert '0 were made now' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command.main([*words[:-1], '3', '--taps', 'logits'])
    assert 'differs in topk; give another folder' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([*words, '--teacher-name', 'other'])
    assert "teacher: got 'other'; expected the name of one of teacher" in capsys.readouterr().err
