"""How hooks find out what a model is able to."""

import distillations
import pytest
import torch
import zoo
from distillations import KD
from mmengine.model import MMDistributedDataParallel

from mmkd_video.core.registry import MODELS
from mmkd_video.hooks import model_contract
from mmkd_video.hooks.model_contract import Distills, FollowsPruning, HasTeachers, Prunable, ability_of, members

ABILITIES = [
    each
    for each in vars(model_contract).values()
    if isinstance(each, type) and each.__module__ == model_contract.__name__
]


@pytest.fixture(scope='module')
def distiller():
    return distillations.build(terms=[KD])


@pytest.mark.parametrize('ability', ABILITIES, ids=lambda each: each.__name__)
def test_a_distiller_has_every_ability_and_a_recognizer_none(distiller, ability):
    plain = MODELS.build(zoo.config_of('tsm_mobilenet')[0])
    assert len(ABILITIES) == 11
    assert members(ability) and ability_of(distiller, ability) is distiller
    assert ability_of(plain, ability) is None


def test_an_ability_is_all_of_its_members_and_those_it_inherits():
    assert members(Prunable) == {'prunable'} and members(HasTeachers) == {'teachers'}
    assert members(FollowsPruning) == {'copies', 'tap_features', 'refit', 'regroup'}
    assert {'set_progress', 'training_state_dict', 'check_optimizer'} <= members(Distills)
    half = torch.nn.Module()
    half.refit = half.regroup = half.copies = print
    assert ability_of(half, FollowsPruning) is None


def test_wrapped_and_compiled_models_keep_their_abilities(distiller, monkeypatch):
    wrapped = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    torch.nn.Module.__init__(wrapped)
    wrapped.module = distiller
    assert ability_of(wrapped, Prunable) is distiller
    assert model_contract.prunable_part(wrapped) is distiller.student
    compiled = torch.nn.Module()
    compiled._orig_mod = distiller
    assert ability_of(compiled, Distills) is distiller


def test_a_recognizer_is_pruned_as_it_is():
    plain = torch.nn.Linear(1, 1)
    assert model_contract.prunable_part(plain) is plain
