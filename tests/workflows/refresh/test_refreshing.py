"""A student of six motions learns two more, from real clips, taught by itself as it was."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from refresh_experiment import NUM_CLIPS, RefreshExperiment

from mmkd_video.cli import refresh as command
from mmkd_video.compat import safe_load
from mmkd_video.datasets import render_motion_clips
from mmkd_video.datasets.motion_clips import CLASSES
from mmkd_video.evaluation.clip_scores import ScoredClips
from mmkd_video.functional import aligned_classifier, herding
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.refresh.features import pooled_features
from mmkd_video.workflows.refresh.heads import write_head
from mmkd_video.workflows.train.run_folder import RunFolder
from mmkd_video.workflows.train.trial import run_trial

WEIGHT, BIAS = 'cls_head.fc_cls.weight', 'cls_head.fc_cls.bias'


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp('motions') / 'clips'
    render_motion_clips(root, num_clips=NUM_CLIPS)
    return root


@pytest.fixture(scope='module')
def in_this_process():
    """Folders of the runs, which are done here, not in processes of their own; ``stopped`` ones are interrupted."""
    found, patch = [], pytest.MonkeyPatch()

    def run(self, lock):
        if self.path.name in run.stopped:
            raise KeyboardInterrupt
        found.append(self.path.relative_to(self.path.parents[1]).as_posix())
        run_trial(self.path, checkpoint=self._checkpoint, splits=self.splits)

    run.stopped = ()
    patch.setattr(RunFolder, '_run', run)
    yield found, run
    patch.undo()


@pytest.fixture(scope='module')
def refreshed(tmp_path_factory, videos, in_this_process):
    """The experiment, with what was refreshed in ``out``."""
    experiment = RefreshExperiment(tmp_path_factory.mktemp('refreshed'), videos)
    init_default_scope('mmaction')
    experiment.save_old()
    experiment.out = experiment.folder / 'out'
    experiment.words = [str(experiment.refresh), '--work-dir', str(experiment.out)]
    command.main(experiment.words)
    return experiment


def weights(path):
    return safe_load.load(path)['state_dict']


def listed(out, name):
    (path,) = (each for each in (out / 'lists').glob(f'{name}_*.txt') if each.stem.removeprefix(f'{name}_').isalnum())
    pairs = (line.rsplit(' ', 1) for line in path.read_text().splitlines())
    return path, [(name.strip('"'), int(label)) for name, label in pairs]


def test_it_begins_from_the_old_student_with_rows_for_the_new_classes(refreshed):
    old, start = weights(refreshed.old_checkpoint), weights(refreshed.out / 'start.pth')
    assert start[WEIGHT].shape == (8, 64) and torch.equal(start[WEIGHT][:6], old[WEIGHT])
    assert 0.005 < start[WEIGHT][6:].std() < 0.02 and not start[BIAS][6:].any()
    assert all(torch.equal(start[key], old[key]) for key in old if not key.startswith('cls_head'))


def test_it_learns_new_clips_and_herded_old_ones_and_is_taught(refreshed):
    _, old = listed(refreshed.out, 'old')
    _, memory = listed(refreshed.out, 'memory')
    _, trained = listed(refreshed.out, 'train')
    assert Counter(label for _, label in old) == dict.fromkeys(range(6), 3)
    assert Counter(label for _, label in trained) == {**dict.fromkeys(range(6), 2), 6: 3, 7: 3}
    assert set(memory) < set(old) and trained[:12] == memory
    model = StudentCheckpoint.read(refreshed.old_checkpoint).build(Config.fromfile(refreshed.old))
    features, labels = pooled_features(model, Config.fromfile(refreshed.student), listed(refreshed.out, 'old')[0])
    for label in range(6):
        places = [place for place, found in enumerate(labels.tolist()) if found == label]
        expected = [old[places[each]] for each in herding(features[places], 2)]
        assert [clip for clip in memory if clip[1] == label] == expected
    (log,) = (refreshed.out / 'refreshed/seed0').glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(step['loss_kd'] > 0 and step['loss_cls'] > 0 for step in steps if 'loss' in step)


def test_the_student_is_an_ordinary_checkpoint_with_a_plain_config_and_the_head_that_was_asked_for(refreshed):
    config, student = Config.fromfile(refreshed.out / 'student.py'), refreshed.out / 'student.pth'
    assert config.model.type == 'Recognizer2D' and config.load_from is None and 'refresh' not in config
    StudentCheckpoint.read(student).build(config)
    trained, found = weights(refreshed.out / 'refreshed/seed0_linear.pth'), weights(student)
    assert list(found) == list(trained) == list(weights(refreshed.out / 'start.pth'))
    weight, bias = aligned_classifier(trained[WEIGHT], trained[BIAS], 6)
    assert torch.equal(found[WEIGHT], weight) and torch.equal(found[BIAS], bias)
    assert not torch.equal(found[WEIGHT], trained[WEIGHT])
    assert all(torch.equal(found[key], trained[key]) for key in found if not key.startswith('cls_head'))
    assert (refreshed.out / 'lists/classes.txt').read_text().split() == list(CLASSES)


@pytest.mark.slow
def test_the_report_says_what_the_scores_say_and_nothing_is_done_twice(refreshed, in_this_process, capsys):
    done = list(in_this_process[0])
    command.main(refreshed.words)
    assert in_this_process[0] == done == ['out/before', 'refreshed/seed0', 'refreshed/seed0_balanced']
    said, text = capsys.readouterr().out, (refreshed.out / 'report.txt').read_text()
    assert text in said and 'student.pth' in said
    before = ScoredClips.read(refreshed.out / 'before/test_scores.npz')
    found = json.loads((refreshed.out / 'report.json').read_text())
    assert before.probabilities.shape == (12, 6) and found['before'] == before.correct.mean()
    for arm, folder in (('refreshed', 'seed0'), ('balanced head', 'seed0_balanced')):
        now = ScoredClips.read(refreshed.out / 'refreshed' / folder / 'test_scores.npz')
        assert now.probabilities.shape == (16, 8) and now.names[:12].tolist() == before.names.tolist()
        (told,) = found['arms'][arm]
        assert told['old'] == now.correct[:12].mean() and told['new'] == now.correct[12:].mean()
        assert told['forgotten'] == pytest.approx(before.correct.mean() - now.correct[:12].mean())
        (row,) = (line for line in text.splitlines() if line.startswith(arm))
        assert f'{100 * told["old"]:.1f}' in row and f'{100 * told["new"]:.1f}' in row
    assert all(name in text for name in CLASSES[:6]) and CLASSES[6] not in text


def test_the_nearest_mean_is_found_by_the_students_own_scores(refreshed, tmp_path):
    """On the training clips, through the whole network: the classes are those that distances to the means give."""
    config, (path, trained) = Config.fromfile(refreshed.student), listed(refreshed.out, 'train')
    linear = StudentCheckpoint.read(refreshed.out / 'refreshed/seed0_linear.pth')
    seen = []

    def features(model):
        seen.append(pooled_features(model, config, path))
        return seen[0]

    write_head('nearest_mean', linear, config, 6, features, tmp_path / 'mean.pth')
    found, labels = seen[0]
    assert labels.tolist() == [label for _, label in trained]
    rows = found / found.norm(dim=1, keepdim=True)
    means = torch.stack([rows[labels == label].mean(dim=0) for label in range(8)])
    nearest = torch.cdist(rows, means / means.norm(dim=1, keepdim=True)).argmin(dim=1)
    model = StudentCheckpoint.read(tmp_path / 'mean.pth').build(config)
    pooled, _ = pooled_features(model, config, path)
    torch.testing.assert_close(pooled, found)
    assert torch.equal(model.cls_head.fc_cls(pooled).argmax(dim=1), nearest)


CHANGES = [
    (dict(refresh=None), 'refresh: got none in .*refresh.py; expected refresh=dict'),
    ({'refresh.memory': -1}, 'refresh.memory: got -1; expected a whole number of at least 0'),
    ({'refresh.head': 'icarl'}, "refresh.head: got 'icarl'; expected 'linear', 'balanced' or"),
    ({'refresh.keep': 3}, "refresh: got the unknown key 'keep'; expected memory, selection, head, old"),
    ({'refresh.old': 'other'}, "refresh.old: got 'other'; expected the teacher that is the old student"),
    ({'refresh.head': 'nearest_mean', 'refresh.memory': 0}, "refresh.head: got 'nearest_mean' with memory=0"),
    ({'model.teacher.type': 'EMATeacher'}, "teacher: got .*'EMATeacher'.*; expected dict"),
    ({'model.teacher.checkpoint': None}, "teacher: got .*'checkpoint': None.*; expected dict"),
    ({'model.student.cls_head.num_classes': 5}, 'model.student: got 5 classes; expected at least 6'),
    ({'model.student.cls_head.num_classes': 6}, "refresh.head: got 'balanced', but there is no class beyond the 6"),
    ({'train_dataloader.dataset.type': 'MixedVideoDataset'}, "train_dataloader.dataset.type: got 'MixedVideoDataset'"),
    ({'model.type': 'Recognizer2D'}, "refresh: got model.type='Recognizer2D'; expected 'Distiller'"),
]
READ_LATER = [
    ({'model.student.cls_head.num_classes': 7}, 'got the label 7 of .*; expected 0 to 6, as num_classes is 7'),
    ({'model.student.backbone.depth': 50}, 'model.student: differs from the old student in more than its classes'),
    ({'train_dataloader.dataset.classes': [0, 5]}, 'got no clip but those that the old student was trained on'),
    ({'test_dataloader': None, 'test_cfg': None, 'test_evaluator': None}, 'test_dataloader: got none; expected'),
]


@pytest.mark.parametrize(
    ('change', 'said'), [*CHANGES, *(pytest.param(*case, marks=pytest.mark.slow) for case in READ_LATER)]
)
def test_what_cannot_be_a_refresh_is_told_in_one_line_before_anything_is_trained(
    refreshed, in_this_process, tmp_path, capsys, change, said
):
    config = Config.fromfile(refreshed.refresh)
    config.merge_from_dict(change)
    Config(config.to_dict()).dump(tmp_path / 'refresh.py')
    done = len(in_this_process[0])
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / 'refresh.py'), '--work-dir', str(tmp_path / 'out')])
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(said, message) and message.startswith('error: ') and len(in_this_process[0]) == done


@pytest.mark.slow
def test_arms_and_seeds_are_compared_and_what_was_interrupted_goes_on(refreshed, in_this_process, capsys):
    done, run = in_this_process
    words = [*refreshed.words, '--arms', 'joint', 'naive', '--seeds', '0-1']
    begun, run.stopped = len(done), ('seed1',)
    with pytest.raises(SystemExit):
        command.main(words)
    assert len(done) == begun and 'the same command goes on from here' in capsys.readouterr().err
    run.stopped = ()
    command.main(words)
    expected = ['refreshed/seed1', 'refreshed/seed1_balanced']
    assert done[begun:] == expected + [f'{arm}/seed{seed}' for arm in ('naive', 'joint') for seed in (0, 1)]
    text = (refreshed.out / 'report.txt').read_text()
    assert 'mean and standard deviation of 2 seeds' in text and text.count(' ± ') > 20
    counts = {arm: Config.fromfile(refreshed.out / f'{arm}/seed0/config.py') for arm in ('naive', 'joint')}
    clips = {
        arm: Path(config.train_dataloader.dataset.ann_file).read_text().count('mp4') for arm, config in counts.items()
    }
    assert clips == dict(naive=6, joint=24)
    assert all(config.model.type == 'Recognizer2D' and 'start.pth' in config.load_from for config in counts.values())
    begun = len(done)
    command.main([*refreshed.words, '--cfg-options', 'refresh.head=linear'])  # another head of what is trained
    student, linear = weights(refreshed.out / 'student.pth'), weights(refreshed.out / 'refreshed/seed0_linear.pth')
    assert len(done) == begun and all(torch.equal(student[key], linear[key]) for key in linear)


@pytest.mark.slow
def test_a_refreshed_student_is_refreshed_again_with_new_clips_of_its_classes(refreshed, tmp_path):
    """Its plain config and checkpoint are the old student then; there is no class more."""
    again = RefreshExperiment(tmp_path, refreshed.root)
    again.refresh.write_text(
        again.refresh.read_text()
        .replace(str(again.old_checkpoint), str(refreshed.out / 'student.pth'))
        .replace(str(again.old), str(refreshed.out / 'student.py'))
        .replace("memory=2, head='balanced'", "memory=1, selection='random'")
        .replace('prepare', 'unused')
        .replace(", connector=dict(type='FirstClassesConnector')", '')
        .replace("new = dict(type='ClassVideoDataset', classes=[6, 7])", f"new = dict(ann_file='{more(again)}')")
    )
    command.main([str(again.refresh), '--work-dir', str(tmp_path / 'out')])
    found = json.loads((tmp_path / 'out/report.json').read_text())
    assert found['old_clips'] == 16 and list(found['arms']) == ['refreshed']
    _, trained = listed(tmp_path / 'out', 'train')
    assert len(trained) == 8 + 2 and found['arms']['refreshed'][0]['taken'] == 0
    assert [label for _, label in trained[8:]] == [0, 1]
    StudentCheckpoint.read(tmp_path / 'out/student.pth').build(Config.fromfile(tmp_path / 'out/student.py'))


def more(experiment):
    """Return a list of two clips that no student was trained on."""
    path = experiment.folder / 'more.txt'
    names = sorted((experiment.root / 'val').iterdir())[:2]
    path.write_text(''.join(f'{name.relative_to(experiment.root)} {label}\n' for label, name in enumerate(names)))
    return path


@pytest.mark.slow
def test_the_old_student_is_trained_where_it_is_missing_by_the_tool_itself(tmp_path, videos):
    experiment = RefreshExperiment(tmp_path, videos)
    said = experiment.run('refresh.py', 'refresh.py', '--work-dir', 'out', '--cfg-options', 'refresh.head=linear')
    assert experiment.old_checkpoint.is_file() and 'saved in out: student.pth, student.py' in said.stdout
    done = experiment.run('test.py', 'out/student.py', 'out/student.pth')
    assert 'acc/top1' in done.stdout
