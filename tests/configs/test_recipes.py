"""Recipes on MMAction2's bases: of their data set, on checkpoints of its zoo, and trained for a step at full size.

Nothing is downloaded. Models and pixels are those of the configs, and so are frames but for the TSN, which sees three
of its eight here. Beside that, the teacher's weights are random, the batch holds one clip or two, and the data are a
few small clips, listed by MMAction2's own scripts.
"""

import functools
import math
import re
from pathlib import Path

import clips
import mmaction
import prepared_sets
import pytest
import torch
import yaml
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import named_teachers

ROOT = Path(__file__).resolve().parents[2]
ZOO = Path(mmaction.__file__).parent / '.mim'
PAGE = (ROOT / 'docs/recipes.md').read_text()
# Name: clips in the batch, shape of the student's clip, shape of the teacher's.
STEPS = {
    'tsm-r50_to_tsm-mobilenetv2_kinetics400': (2, (8, 3, 224, 224), (8, 3, 224, 224)),
    'swin-tiny_to_tsn-r50_kinetics400': (1, (3, 3, 224, 224), (1, 3, 32, 224, 224)),
    'i3d-r50_to_tsm-mobilenetv2_ucf101': (1, (8, 3, 224, 224), (1, 3, 32, 224, 224)),
    'i3d-r50_to_tsm-mobilenetv2_hmdb51': (1, (8, 3, 224, 224), (1, 3, 32, 224, 224)),
    'slowfast-r50_to_x3d-s_sthv2': (1, (1, 3, 13, 160, 160), (1, 3, 32, 224, 224)),
    'tsm-r50_to_tsm-mobilenetv2_diving48': (1, (8, 3, 224, 224), (8, 3, 224, 224)),
    'tsm-r50_to_tsm-mobilenetv2_jester': (1, (8, 3, 224, 224), (8, 3, 224, 224)),
}
# Of configs/streaming: their rows are in docs/streaming.md.
STREAMING = {'tsm-r50_to_tsm-online-mobilenetv2_kinetics400': (2, (8, 3, 224, 224), (8, 3, 224, 224))}
README = 'i3d-r50_to_tsm-mobilenetv2_kinetics400'  # its checkpoint is a path of the reader's
RECIPES = [*STEPS, README]
FRAMES = 40  # fewer than the 64 that I3D and Swin span


@functools.cache
def read(path):
    return read_config(str(path))


def recipe(name):
    return read(ROOT / path_of(name))


def path_of(name):
    return f'configs/{"streaming" if name in STREAMING else "distill"}/{name}.py'


def teacher_config(name):
    (teacher,) = named_teachers(recipe(name).model.teacher).values()
    return read(teacher.config)


def data_set(name):
    return name.rsplit('_', 1)[1]


@functools.cache
def zoo():
    """Return the models of MMAction2's metafiles by the address of their weights."""
    found = {}
    for path in sorted((ZOO / 'configs').glob('recognition/*/metafile.yml')):
        for model in yaml.safe_load(path.read_text())['Models']:
            found.setdefault(model.get('Weights'), []).append(model)
    return found


def addresses(name):
    """Return the checkpoints in the zoo that the teacher, or its own training, and the student begin with."""
    (teacher,) = named_teachers(recipe(name).model.teacher).values()
    own = teacher.checkpoint if '://' in teacher.checkpoint else teacher_config(name).load_from
    return own, recipe(name).get('load_from')


def test_every_recipe_is_tested():
    found = {path.stem for path in (ROOT / 'configs/distill').glob('*_to_*.py')}
    assert {name for name in found if data_set(name) in prepared_sets.CLASSES} == set(RECIPES)


@pytest.mark.parametrize('name', STEPS)
def test_checkpoints_are_those_of_the_zoo_for_these_models(name):
    backbones = teacher_config(name).model.backbone, recipe(name).model.student.backbone
    for address, backbone in zip(addresses(name), backbones, strict=True):
        if address is not None:
            (model,) = zoo()[address]
            expected = dict(read(f'mmaction::{model["Config"].removeprefix("configs/")}').model.backbone)
            assert dict(expected, pretrained=None) == dict(backbone, pretrained=None)


@pytest.mark.parametrize('name', [*STEPS, *STREAMING])
def test_a_teacher_of_another_data_set_is_trained_first(name):
    (teacher,) = named_teachers(recipe(name).model.teacher).values()
    (model,) = zoo()[addresses(name)[0]]
    if data_set(name) == 'kinetics400':
        assert teacher.checkpoint == addresses(name)[0] and 'prepare' not in recipe(name)
        assert model['Results'][0]['Dataset'] == 'Kinetics-400'
    else:
        assert recipe(name).prepare.teacher == teacher.config
        assert teacher.checkpoint == f'work_dirs/teachers/{Path(teacher.config).stem}.pth'


@pytest.mark.parametrize('name', [*RECIPES, *STREAMING])
def test_both_models_are_of_the_data_set(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepared_sets.prepare(data_set(name), lambda path, label: path.touch(), monkeypatch)
    last = prepared_sets.CLASSES[data_set(name)] - 1
    student, teacher = recipe(name), teacher_config(name)
    assert student.model.student.cls_head.num_classes == teacher.model.cls_head.num_classes == last + 1
    for split in ('train', 'val', 'test'):
        datasets = [config[f'{split}_dataloader'].dataset for config in (student, teacher)]
        for steps in (each.pipeline for each in datasets):
            assert [TRANSFORMS.build(step) for step in steps]
        ours, theirs = ({key: each[key] for key in ('type', 'ann_file', 'data_prefix')} for each in datasets)
        assert ours == theirs
        lines = [line.split() for line in Path(ours['ann_file']).read_text().splitlines()]
        assert sorted(int(label) for _, label in lines) == [0, last]
        assert all(Path(ours['data_prefix']['video'], video).is_file() for video, _ in lines)


@pytest.mark.parametrize('name', RECIPES)
def test_mirrored_clips_keep_their_meaning(name):
    (views,) = recipe(name).train_dataloader.dataset.pipeline
    for pipeline in (views.student, teacher_config(name).train_pipeline):
        maps = [step.get('flip_label_map') for step in pipeline if step.type == 'Flip']
        if data_set(name) == 'jester':
            assert maps == []
        elif data_set(name) == 'sthv2':
            assert maps == [{86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}]
        else:
            assert maps == [None]


@pytest.mark.parametrize('name', STEPS)
def test_the_page_tells_what_the_zoo_says(name):
    (row,) = [line for line in PAGE.splitlines() if f'../configs/distill/{name}.py' in line]
    (model,) = zoo()[addresses(name)[0]]
    assert f'[{model["Results"][0]["Metrics"]["Top 1 Accuracy"]:.2f}]({model["Weights"]})' in row


def test_the_page_names_no_other_checkpoint():
    found = set(re.findall(r'https://download\.openmmlab\.com/\S+?\.pth', PAGE))
    assert found and found <= set(zoo())


@pytest.mark.parametrize('name', STEPS)
def test_hours_follow_from_the_measured_step_and_the_config(name):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f'| {name} |')]
    cells = [float(cell.replace(',', '')) for cell in row.split('|')[2:-1]]
    clips_of_an_epoch, epochs, together, steps, _, _, seconds, measured, hours = cells
    assert epochs == recipe(name).train_cfg.max_epochs
    assert together == 8 * recipe(name).train_dataloader.batch_size  # MMAction2's 8 GPUs
    assert steps == epochs * math.ceil(clips_of_an_epoch / together)
    assert hours == float(f'{epochs * clips_of_an_epoch * seconds / measured / 3600:.2g}')
    (step,) = [line for line in PAGE.splitlines() if f'../configs/distill/{name}.py' in line]
    assert f'| {seconds:.2f} s for {measured:.0f} |' in step


@pytest.mark.slow
@pytest.mark.parametrize('name', [*STEPS, *STREAMING])
def test_a_step_at_full_size(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepared_sets.prepare(data_set(name), encode, monkeypatch)
    config = read_config(path_of(name))
    config.model.teacher.checkpoint = None
    count, ours, theirs = {**STEPS, **STREAMING}[name]
    if name.startswith('swin'):
        sampler = config.train_dataloader.dataset.pipeline[0].student[1]
        assert sampler.num_clips == 8
        sampler.num_clips = ours[0]
    dataset = DATASETS.build(config.train_dataloader.dataset)
    torch.manual_seed(0)
    samples = [dataset[index] for index in range(count)]
    assert all(each['inputs'].shape == ours and each['views']['teacher'].shape == theirs for each in samples)
    model = build_model(config.model).train()
    wrapper = model.build_optim_wrapper(config.optim_wrapper)
    losses = model(**model.data_preprocessor(pseudo_collate(samples), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert sum(key.startswith('loss_') for key in losses) == 1 + len(config.model.terms)
    trained = list(model.student.parameters())
    assert all(each.grad is not None and each.grad.isfinite().all() for each in trained)
    before = [each.detach().clone() for each in trained]
    wrapper.step()
    assert not all(torch.equal(old, new) for old, new in zip(before, trained, strict=True))
    assert all(each.isfinite().all() for each in trained)


def encode(path, label):
    """Write a clip; OpenCV has no encoder for WebM, and decoders look at what is in a file, not at its name."""
    encoded = path.with_suffix('.mp4') if path.suffix == '.webm' else path
    clips.encode(encoded, label % 4, FRAMES)
    encoded.rename(path)
