"""The points that every arm is tuned over."""

import pytest
from mmengine.config import Config

from mmkd_video.workflows.compare.grid import SHIPPED, Axis, Point, check_axes, points_of, with_distinct_names


def config():
    terms = [dict(type='KDLoss', weight=1.0), dict(type='FitNetLoss', weight=100.0)]
    optimizer = dict(type='SGD', lr=0.03, nesterov=True)
    return Config(dict(model=dict(terms=terms), optim_wrapper=dict(optimizer=optimizer), batch=16))


def values(text):
    return [value for _, value in Axis.parse(text).values(config())]


def test_factors_are_of_what_is_shipped():
    assert values('optim_wrapper.optimizer.lr=x0.1,x1,x2,0.5') == [0.003, 0.03, 0.06, 0.5]
    assert values('model.terms.1.weight=x.5') == [50.0]
    assert values('batch=x2') == [32] and isinstance(values('batch=x2')[0], int)


def test_values_are_numbers_words_and_lists():
    assert values('a=1,[1,2],(3,4),none,True,cosine') == [1, [1, 2], (3, 4), None, True, 'cosine']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('lr', 'expected KEY=V1,V2'),
        ('lr=', 'expected KEY=V1,V2'),
        ('test_dataloader.dataset.ann_file=a,b', 'changes what is measured'),
        ('val_evaluator.type=A,B', 'changes what is measured'),
    ],
)
def test_what_is_no_grid_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Axis.parse(text)


def test_a_factor_of_no_number_is_refused():
    with pytest.raises(
        ValueError, match="got 'x2' for optim_wrapper.optimizer.nesterov, which the config ships as True"
    ):
        values('optim_wrapper.optimizer.nesterov=x2')


def test_the_shipped_recipe_is_the_first_point_and_no_point_comes_twice():
    axes = [Axis.parse('optim_wrapper.optimizer.lr=x0.5,x1,0.015'), Axis.parse('model.terms.0.weight=1,2')]
    points = points_of(axes, config())
    assert [point.label for point in points] == [SHIPPED, 'lr x0.5', 'lr x0.5, weight 2', 'weight 2']
    assert points[0].is_shipped and points[0].slug == ''
    assert points[2].settings == {'optim_wrapper.optimizer.lr': 0.015, 'model.terms.0.weight': 2}
    assert points[2].slug == 'model.terms.0.weight=2,optim_wrapper.optimizer.lr=0.015'


def test_a_point_changes_a_copy():
    given = config()
    changed = Point('', {'model.terms.1.weight': 3.0, 'optim_wrapper.optimizer.lr': 1}).applied(given)
    assert changed.model.terms[1].weight == 3.0 and changed.model.terms[0].weight == 1.0
    assert given.model.terms[1].weight == 100.0 and given.optim_wrapper.optimizer.lr == 0.03


def test_a_point_without_keys_keeps_the_labels_of_the_others():
    point = Point('lr x2, weight 3', {'optim_wrapper.optimizer.lr': 0.06, 'model.terms.0.weight': 3})
    assert point.without(['optim_wrapper.optimizer.lr']) == Point('weight 3', {'model.terms.0.weight': 3})
    assert point.without(list(point.settings)) == Point()


def test_unknown_and_repeated_keys_are_refused():
    with pytest.raises(
        ValueError, match="got 'optim_wrapper.optimiser.lr', which no config has; optim_wrapper holds opti"
    ):
        check_axes([Axis.parse('optim_wrapper.optimiser.lr=1,2')], dict(a=config()))
    with pytest.raises(ValueError, match='model.terms holds 0, 1'):
        check_axes([Axis.parse('model.terms.2.weight=1,2')], dict(a=config()))
    with pytest.raises(ValueError, match='batch is given 2 times'):
        check_axes([Axis.parse('batch=1'), Axis.parse('batch=2')], dict(a=config()))


def test_labels_tell_keys_with_one_end_apart():
    keys = ('model.terms.0.weight', 'model.terms.1.weight', 'optim_wrapper.optimizer.lr')
    axes = with_distinct_names([Axis.parse(f'{key}=1,2') for key in keys])
    assert [axis.name for axis in axes] == ['0.weight', '1.weight', 'lr']
