"""A comparison's folder as the tools leave it, made up in a moment: nothing is trained."""

import json

import cv2
import numpy as np

from mmkd_video.workflows.compare.arms import ALONE, DISTILLED
from mmkd_video.workflows.compare.result import Comparison, Row, Section, Teacher

CLASSES = ('up', 'down', 'left')
CLIPS = 60  # of test
STEPS, EPOCHS = (10, 20, 30, 40), (1, 2)
CONFIG = """model = dict(
    student=dict(type='Recognizer2D'),
    teacher=dict(checkpoint='t.pth', config='t.py'),
    terms=[dict(at='logits', temperature=4.0, type='KDLoss')],
    type='Distiller')
test_dataloader = dict(dataset=dict(ann_file='test.txt', data_root='data', type='VideoDataset'))
"""
RIGHT = {'teacher': 0.95, ALONE: 0.6, DISTILLED: 0.8}


def made_up_comparison(folder, seeds=2, classes=CLASSES, arm_name=DISTILLED, clips=CLIPS):
    """Write a comparison with as many seeds, its runs, and three of its test clips below ``folder / 'data'``."""
    work = folder / 'work'
    data = folder / 'data'
    data.mkdir(parents=True)
    (data / 'classes.txt').write_text('\n'.join(classes) + '\n')
    labels = np.arange(clips) % len(classes)
    names = [f'data/clip_{index}.avi' for index in range(clips)]
    for index in range(clips):
        write_clip(folder / names[index], index)
    trials = [trial('teacher', None, 'teacher/i3d', 'teacher')]
    write_scores(work / 'teacher' / 'i3d', labels, names, RIGHT['teacher'], 0, len(classes))
    for seed in range(seeds):
        for kind, place in ((ALONE, 'student_alone'), (DISTILLED, 'student_distilled_c')):
            path = work / place / f'seed{seed}'
            write_logs(path, seed, terms=kind == DISTILLED)
            write_scores(path, labels, names, RIGHT[kind], seed + 1, len(classes))
            (path / 'config.py').write_text(CONFIG if kind == DISTILLED else CONFIG.replace("'Distiller'", "'Plain'"))
            trials.append(trial(arm_name if kind == DISTILLED else kind, seed, f'{place}/seed{seed}', 'evaluation'))
    (work / 'trials.jsonl').write_text(''.join(f'{json.dumps(each)}\n' for each in trials))
    (work / 'compare.json').write_text(json.dumps(comparison_of(seeds, arm_name).as_dict()))
    return work


def comparison_of(seeds, arm_name=DISTILLED):
    rows = [row(ALONE, ALONE, [0.6 + 0.01 * seed for seed in range(seeds)])]
    rows.append(row(arm_name, DISTILLED, [0.8 - 0.005 * seed for seed in range(seeds)]))
    return Comparison(
        configs={'c': 'c.py'},
        command='python tools/compare.py c.py',
        metric='acc/top1',
        seeds=list(range(seeds)),
        teachers=[Teacher('teacher', 0.95, 2_000_000, 0.3, 300.0, 200.0)],
        sections=[Section('recipe untouched', rows)],
    )


def row(name, kind, scores):
    none = [None] * len(scores)
    return Row(name, kind, 'recipe untouched', {}, scores, none, scores, none, none, 700_000, 0.1, 'teacher')


def trial(arm, seed, run, purpose):
    return dict(arm=arm, settings={}, seed=seed, purpose=purpose, val=0.5, test=0.5, failed=False, run=run)


def write_logs(path, seed, terms):
    folder = path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    lines = []
    for step in STEPS:
        loss = 2.0 / step + 0.01 * seed
        line = dict(lr=0.1, loss=loss, loss_cls=loss, epoch=1 + step // 30, iter=step, step=step, grad_norm=1.0)
        if terms:
            line |= dict(loss_cls=loss / 2, loss_kd=loss, kd_raw=4 * loss, kd_grad=0.2, kd_task_grad=0.1)
        lines.append(line)
    for epoch in EPOCHS:
        line = {'acc/top1': 0.3 * epoch + 0.01 * seed, 'step': epoch}
        line |= {'agreement/top1': 0.4 * epoch, 'agreement/kl': 1 / epoch, 'teacher/top1': 0.95} if terms else {}
        lines.append(line)
    (folder / 'scalars.json').write_text(''.join(f'{json.dumps(each)}\n' for each in lines))


def write_scores(path, labels, names, right, seed, count):
    path.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    answers = np.where(random.random(len(labels)) < right, labels, (labels + 1) % count)
    probabilities = np.full((len(labels), count), 0.3 / (count - 1), dtype=np.float32)
    probabilities[np.arange(len(labels)), answers] = 0.7
    np.savez(path / 'test_scores.npz', probabilities=probabilities, labels=labels, names=names)


def write_clip(path, index):
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (32, 24))
    for frame in range(6):
        picture = np.full((24, 32, 3), 30, np.uint8)
        place = 4 * frame + index % 3
        picture[8:16, place : place + 6] = 220
        video.write(picture)
    video.release()


def deployments():
    """Return what a deployment benchmark leaves in ``deploy.json``."""
    lines = [
        dict(model=model, runtime=runtime, threads=1, latencies=[seconds, seconds], throughputs=[1 / seconds])
        | dict(file_bytes=1000, params=10, gflops=0.1, accuracy=0.8, memory=5)
        for model, runtime, seconds in (('teacher', 'eager', 0.01), ('student distilled', 'openvino', 0.001))
    ]
    return dict(benchmark='deploy', title='Models', facts={'processor': 'one'}, deployments=lines, targets=[])


def with_line(path, text):
    """Add a line to a log of a run."""
    log = next(path.glob('*/vis_data/scalars.json'))
    with open(log, 'a') as file:
        file.write(text)
