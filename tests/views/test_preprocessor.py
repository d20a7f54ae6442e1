import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import copy

import numpy as np
import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.structures import ActionDataSample

from mmkd_video.views import DistillDataPreprocessor

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
OTHER = dict(mean=[104, 117, 128], std=[1, 2, 3], to_rgb=True)
CUTMIX = dict(type='CutmixBlending', num_classes=4, alpha=1.0)
MIXUP = dict(type='MixupBlending', num_classes=4, alpha=1.0)


def make(layout='NCHW', norm=IMAGENET, **kwargs):
    return ActionDataPreprocessor(format_shape=layout, **norm, **kwargs)


def batch(layout='NCHW', count=3, size=16, frames=4, views=None):
    generator = torch.Generator().manual_seed(0)
    shape = (frames, 3, size, size) if layout == 'NCHW' else (1, 3, frames, size, size)
    clips = [torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for _ in range(count)]
    data = dict(inputs=clips, data_samples=[ActionDataSample().set_gt_label(index) for index in range(count)])
    return dict(data, views=views) if views else data


def swap(clip):
    """The same clip in the other layout."""
    return clip.transpose(0, 1)[None] if clip.ndim == 4 else clip[0].transpose(0, 1)


def seed(number=5):
    torch.manual_seed(number)
    np.random.seed(number)


@pytest.mark.parametrize('blending', [None, MIXUP, CUTMIX])
@pytest.mark.parametrize('norm', [IMAGENET, OTHER])
@pytest.mark.parametrize(('mine', 'theirs'), [('NCHW', 'NCTHW'), ('NCTHW', 'NCHW'), ('NCTHW', 'NCTHW')])
def test_the_teacher_gets_the_students_clip_in_its_own_layout_and_normalisation(mine, theirs, norm, blending):
    student = make(mine, blending=blending)
    both = DistillDataPreprocessor(student, dict(teacher=make(theirs, norm)), 'student')
    seed()
    out = both(batch(mine), True)
    seed()
    alone = student(batch(mine), True)
    assert torch.equal(out['inputs'], alone['inputs'])
    assert all(a.gt_label.equal(b.gt_label) for a, b in zip(out['data_samples'], alone['data_samples'], strict=True))
    twin = make(theirs, norm, blending=blending)
    data = batch(mine)
    if mine != theirs:
        data['inputs'] = [swap(clip) for clip in data['inputs']]
    seed()
    torch.testing.assert_close(out['views']['teacher'], twin(data, True)['inputs'], rtol=3e-7, atol=0)


def test_equal_preparation_shares_one_tensor():
    teachers = dict(same=make(), laid_out=make('NCTHW'), other=make(norm=OTHER), also=make(norm=OTHER))
    out = DistillDataPreprocessor(make(), teachers, 'student')(batch(), True)
    assert out['views']['same'] is out['inputs']
    assert out['views']['laid_out'].data_ptr() == out['inputs'].data_ptr()
    assert out['views']['other'] is out['views']['also']


def test_a_preprocessor_of_another_kind_is_shared_with_nobody():
    class Brighter(ActionDataPreprocessor):
        def preprocess(self, inputs, data_samples, training=False):
            inputs, data_samples = super().preprocess(inputs, data_samples, training)
            return inputs + 1, data_samples

    out = DistillDataPreprocessor(make(), dict(teacher=Brighter(**IMAGENET)), 'student')(batch(), True)
    assert torch.equal(out['views']['teacher'], out['inputs'] + 1)


@pytest.mark.parametrize('view', ['student', 'own'])
def test_own_views_are_normalised_and_blended_alike(view):
    data = batch(size=8)
    large = [clip.repeat_interleave(2, -1).repeat_interleave(2, -2) for clip in data['inputs']]
    data['views'] = dict(teacher=large)
    both = DistillDataPreprocessor(make(blending=CUTMIX), dict(teacher=make(norm=IMAGENET, blending=MIXUP)), view)
    out = both(data, True)
    expected = out['inputs'].repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert torch.equal(out['views']['teacher'], expected)


@pytest.mark.parametrize('views', [None, dict(teacher=batch()['inputs'])])
def test_the_student_is_alone_outside_training(views):
    student = make(blending=MIXUP)
    out = DistillDataPreprocessor(student, dict(teacher=make()), 'own')(batch(views=views), False)
    assert set(out) == {'inputs', 'data_samples'}
    assert torch.equal(out['inputs'], student(batch(), False)['inputs'])


def test_own_view_without_distill_views_names_it():
    with pytest.raises(ValueError, match="view='own'.*no view for teacher 'teacher'.*DistillViews"):
        DistillDataPreprocessor(make(), dict(teacher=make()), 'own')(batch(), True)


def test_a_view_is_demanded_only_for_the_teacher_that_asked_for_it():
    both = DistillDataPreprocessor(make(), dict(first=make(), second=make()), dict(first='own', second='student'))
    own = dict(first=[torch.zeros(4, 3, 16, 16, dtype=torch.uint8)] * 3)
    assert set(both(batch(views=own), True)['views']) == {'first', 'second'}
    with pytest.raises(ValueError, match="no view for teacher 'first'"):
        both(batch(), True)


def test_view_without_teacher_is_an_error():
    with pytest.raises(ValueError, match=r"the view 'i3d' but the teachers are \['teacher'\]"):
        DistillDataPreprocessor(make(), dict(teacher=make()), 'student')(batch(views=dict(i3d=[])), True)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="view='mine'"):
        DistillDataPreprocessor(make(), {}, 'mine')
    with pytest.raises(TypeError, match="teacher 'teacher': got Identity"):
        DistillDataPreprocessor(make(), dict(teacher=torch.nn.Identity()), 'student')


def test_a_student_without_clips_is_told_to_use_distill_views():
    data = dict(batch(), inputs=[torch.zeros(3, 8), torch.zeros(3, 8)])
    both = DistillDataPreprocessor(ActionDataPreprocessor(), dict(teacher=make()), 'student')
    with pytest.raises(ValueError, match=r'shape \(3, 8\)'):
        both(data, True)


def test_it_owns_no_preprocessor_and_is_copied_with_its_model():
    student, teacher = make(), make(norm=OTHER)
    model = torch.nn.Module()
    model.data_preprocessor = DistillDataPreprocessor(student, dict(teacher=teacher), 'student')
    model.student = student
    assert list(model.data_preprocessor.modules()) == [model.data_preprocessor]
    assert not list(model.data_preprocessor.buffers())
    new = copy.deepcopy(model)
    assert new.data_preprocessor.student is new.student is not student
    assert new.data_preprocessor.teachers['teacher'] is teacher
    out = new.data_preprocessor.to('cpu')(batch(), True)
    assert torch.equal(out['views']['teacher'], teacher(batch(), False)['inputs'])
    assert new.data_preprocessor.device == torch.device('cpu')
