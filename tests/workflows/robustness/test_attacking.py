"""Attacked test clips: what is left of the accuracy, and when gradients are not to be trusted."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import untrained
from tiny_experiment import TinyExperiment

from mmkd_video.cli import attack as command
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.config import read_config
from mmkd_video.robustness import FGSM, PixelScale
from mmkd_video.workflows.deploy.student import StudentCheckpoint
from mmkd_video.workflows.robustness.attacking import ALL, AttackReport, Budget, measure_attacks
from mmkd_video.workflows.robustness.tested_model import TestedModel

WEAK = Budget(epsilon=4.0, steps=(4,), restarts=2)


@pytest.fixture(scope='module')
def experiment(tmp_path_factory, tiny_clips):
    """Models without training, each with a test list whose labels are what it answers to the clean clips."""
    made = TinyExperiment(tmp_path_factory.mktemp('attack'), tiny_clips)
    made.weights = untrained.write(made)
    lines = [line.split()[0] for line in (tiny_clips / 'test.txt').read_text().splitlines()]
    for config, checkpoint in ((made.teacher, made.checkpoint), (made.student, made.weights)):
        model = TestedModel('x', str(config), str(checkpoint))
        found = np.concatenate([model.classify(clips).argmax(1) for clips, _ in model.batches()])
        known = made.folder / f'{config.stem}.txt'
        known.write_text(''.join(f'{name} {label}\n' for name, label in zip(lines, found, strict=True)))
        text = config.read_text().replace("ann_file=f'", f"ann_file={str(known)!r} if split == 'test' else f'")
        config.write_text(text)
    return made


def i3d(experiment, **more):
    return TestedModel('i3d', str(experiment.teacher), str(experiment.checkpoint), **more)


def tsn(experiment, **more):
    return TestedModel('tsn', str(experiment.student), str(experiment.weights), **more)


def test_attacks_change_the_decision_within_their_budget(experiment, monkeypatch):
    model, seen = i3d(experiment), []
    classify = model.classify
    monkeypatch.setattr(model, 'classify', lambda clips: seen.append(clips) or classify(clips))
    found = measure_attacks(model, WEAK)
    assert list(found.accuracy) == ['clean', 'FGSM', 'PGD-4', ALL] and found.clips == 16
    assert found.accuracy['clean'] == 1.0 > found.accuracy['FGSM'] >= found.accuracy['PGD-4'] >= found.accuracy[ALL]
    assert not found.warnings
    for clean, fgsm, pgd in zip(seen[::3], seen[1::3], seen[2::3], strict=True):
        for made in (fgsm, pgd):
            assert made.min() >= 0 and made.max() <= 255 and 3.9 < (made - clean).abs().max() < 4.001
    assert measure_attacks(model, WEAK).as_dict() == found.as_dict()


def test_it_attacks_what_mmaction_computes(experiment):
    """FGSM on the normalised input of the recognizer itself misleads it on the same clips."""
    config = read_config(str(experiment.teacher))
    recognizer, right = StudentCheckpoint.read(experiment.checkpoint).build(config), []
    scale = PixelScale.of(recognizer.data_preprocessor)

    def scores(clips):
        features, more = recognizer.extract_feat(clips, test_mode=True)
        return recognizer.cls_head(features, **more)

    for clips, labels in i3d(experiment).batches():
        inputs = recognizer.data_preprocessor(dict(inputs=list(clips), data_samples=[]), False)['inputs']
        criterion = lambda found, labels=labels: F.cross_entropy(found, labels, reduction='none')  # noqa: E731
        made = FGSM(epsilon=4.0)(scores, criterion, inputs, scale)
        with torch.no_grad():
            right += (scores(made).argmax(1) == labels).tolist()
    assert measure_attacks(i3d(experiment), WEAK).accuracy['FGSM'] == np.mean(right)


def test_an_attack_is_transferred_between_a_3d_and_a_2d_model(experiment):
    found = measure_attacks(tsn(experiment), WEAK, source=i3d(experiment))
    assert found.transferred == 'PGD-4 from i3d' and list(found.accuracy)[-2:] == [found.transferred, ALL]
    assert found.accuracy[found.transferred] >= found.accuracy['PGD-4'] and 0 <= found.source <= 1
    itself = measure_attacks(i3d(experiment), WEAK, source=i3d(experiment))
    assert itself.accuracy['PGD-4 from i3d'] == itself.accuracy['PGD-4'] and itself.source == 1.0


def test_masked_gradients_are_found_by_a_transferred_attack(experiment, monkeypatch):
    model, source = i3d(experiment), i3d(experiment)
    real = model.model.log_probabilities
    monkeypatch.setattr(model.model, 'log_probabilities', lambda clips: real(clips).detach() + 0 * clips.sum())
    found = measure_attacks(model, WEAK, source=source)
    assert found.accuracy['FGSM'] == 1.0 > found.accuracy['PGD-4 from i3d'] and len(found.warnings) == 1
    assert 'warning: PGD-4 from i3d leaves ' in found.as_text() and 'may be masked' in found.as_text()


def test_steps_that_do_worse_than_one_are_a_warning():
    accuracy = {'clean': 0.9, 'FGSM': 0.3, 'PGD-10': 0.2, 'PGD-50': 0.4, ALL: 0.2}
    (said,) = AttackReport('c.py', 'c.pth', 10, Budget(), accuracy).warnings
    assert said.startswith('warning: PGD-50 leaves 40.0% and FGSM 30.0% of the clips')
    assert not AttackReport('c.py', 'c.pth', 10, Budget(), accuracy | {'PGD-50': 0.3}).warnings


def test_the_tool_prints_a_table_and_writes_all_numbers(experiment, capsys):
    out = experiment.folder / 'attack.json'
    words = [experiment.student, experiment.weights, '--transfer', experiment.teacher, experiment.checkpoint]
    more = ['--steps', '2', '--restarts', '1', '--frames', '1', '--norm', 'l2', '--epsilon', '300', '--clips', '4']
    command.main([*map(str, words), *more, '--out', str(out)])
    told, said = json.loads(out.read_text()), capsys.readouterr().out
    assert told['clips'] == 4 and told['budget']['norm'] == 'l2' and told['accuracy']['clean'] == 1.0
    assert 'PGD-2 from teacher' in said and 'in 1 frames of each clip' in said and f'saved in {out}' in said


def test_what_cannot_be_transferred_is_refused(experiment, monkeypatch):
    source = i3d(experiment, clips=2)

    def narrow(clips):
        raise RuntimeError("shape '[-1, 8]' is invalid\nmore")

    monkeypatch.setattr(source.model, 'log_probabilities', narrow)
    with pytest.raises(WrongValueError, match=r'--transfer: i3d cannot take the clips .*expected a model of as many'):
        measure_attacks(i3d(experiment, clips=2), WEAK, source=source)
    source.model.recognizer.cls_head.num_classes = 5
    with pytest.raises(WrongValueError, match='got a model of 5 classes; expected the 8'):
        measure_attacks(i3d(experiment, clips=2), WEAK, source=source)
