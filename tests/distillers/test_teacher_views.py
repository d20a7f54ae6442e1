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


def test_the_teachers_first_class_may_be_any_of_several_labels():
    model = build(terms=[KD])
    watch = model.first_batches['teacher']
    several = torch.tensor([[1.0, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0.4, 0.6, 0, 0, 0], [0, 0, 0, 0, 0]])
    watch.check(dict(logits=torch.eye(5)[[1, 2, 1, 0]]), several)
    assert (watch.clips, watch.correct, watch.labels) == (3, 2, 5)  # chance: 5 labels of 15 classes
    watch.check(dict(logits=torch.eye(5)[[1, 0]]), torch.tensor([1, -1]))
    assert (watch.clips, watch.correct, watch.labels) == (4, 3, 6)


def test_a_clip_that_the_teacher_cannot_take_names_distill_views():
    model = build(teacher='tsm_r50', student='tsn_r18', terms=[KD])
    config, _ = zoo.config_of('tsn_r18')
    data = model.data_preprocessor(zoo.batch_for(config, (5, 32, 32)), True)
    with pytest.raises(ValueError, match='teacher cannot take clips of shape .*DistillViews'):
        model(**data, mode='loss')
