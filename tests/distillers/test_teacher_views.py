import pytest
import torch
import zoo
from distillations import KD, build


def test_a_missing_view_is_named():
    model = build(terms=[KD])
    data = zoo.batch_for(*zoo.config_of('tsm_mobilenet'))
    data = model.data_preprocessor(data, False)
    with pytest.raises(ValueError, match="no view for 'teacher'"):
        model(**data, mode='loss')


def test_unlabelled_clips_do_not_count_for_the_teachers_accuracy():
    model = build(terms=[KD])
    model.first_batches['teacher'].check(dict(logits=torch.zeros(2, 5)), torch.tensor([-1, 3]))
    assert model.first_batches['teacher'].clips == 1


def test_a_clip_that_the_teacher_cannot_take_names_distill_views():
    model = build(teacher='tsm_r50', student='tsn_r18', terms=[KD])
    config, _ = zoo.config_of('tsn_r18')
    data = model.data_preprocessor(zoo.batch_for(config, (5, 32, 32)), True)
    with pytest.raises(ValueError, match='teacher cannot take clips of shape .*DistillViews'):
        model(**data, mode='loss')
