"""``docs/config.md`` names what the code accepts, all of it and nothing else."""

import ast
import inspect
import itertools
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd_video import connectors, hooks
from mmkd_video.core.checked import TABLE
from mmkd_video.core.layouts import LAYOUT_SHAPES
from mmkd_video.core.registry import MODELS
from mmkd_video.datasets import MixedBatchSampler, MixedVideoDataset
from mmkd_video.datasets.decoders import DECODERS
from mmkd_video.distillers import AdversarialTraining, Distiller
from mmkd_video.hooks import DistillWatchHook, FiniteHook, PruningHook, QATHook, ReproducibleHook
from mmkd_video.masking import AttentionMask
from mmkd_video.models import (
    DistilledHead,
    MultiViewBackbone,
    SimKDHead,
    TemporalShiftBackbone,
    TimmBackbone,
    TimmPreprocessor,
    ViewFusion,
)
from mmkd_video.pruning import Pruner
from mmkd_video.pruning.recognizer import build_pruned_recognizer
from mmkd_video.recognizers import budget, stages
from mmkd_video.recognizers.families import OUTLETS
from mmkd_video.recognizers.libraries.own_module import read as read_own_module
from mmkd_video.recognizers.libraries.reading import LIBRARIES
from mmkd_video.robustness import FGSM, PGD
from mmkd_video.schedules import LearnedScalar, Scalar, Schedule
from mmkd_video.schedules.scalar import known_schedules
from mmkd_video.taps import TapPath
from mmkd_video.taps.tap_set import ALIASES
from mmkd_video.teachers import (
    BlockTeacher,
    CachedTeacher,
    EMATeacher,
    FrozenTeacher,
    MetaTeacher,
    PeerTeacher,
    ProbedTeacher,
    SelfTeacher,
    TeacherEnsemble,
)
from mmkd_video.terms import parse_terms
from mmkd_video.terms.spec import TERM_KEYS, parse_taps
from mmkd_video.views import DistillViews, MultiView
from mmkd_video.weightings import (
    BalancedWeighting,
    ImportanceWeighting,
    LossRateWeighting,
    MetaLearnedWeighting,
    TeacherConfidenceWeighting,
    TeacherCorrectWeighting,
    UncertaintyWeighting,
)
from mmkd_video.workflows.compress import settings as compress_settings
from mmkd_video.workflows.refresh.settings import REFRESH, RefreshSettings
from mmkd_video.workflows.train import prepare

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'config.md').read_text()
BLOCKS = re.findall(r'```python\n(.*?)```', PAGE, flags=re.DOTALL)
BASE_HOOKS = [hook['type'] for hook in Config.fromfile(ROOT / 'configs/_base_/mmkd.py').custom_hooks]
CLOCK = {'value', 'begin', 'end', 'by_epoch'}
# names no literal tells
COMPUTED_VARIABLES = {'mmkd_video/workflows/train/prepare.py': set(prepare.RANK_VARIABLES.values())}


def tables(page: str = PAGE) -> dict[tuple[str, str], list[list[str]]]:
    """Return the rows of every table, as lists of cells, by its section and its first heading."""
    found = {}
    for section in re.split(r'^## ', page, flags=re.MULTILINE)[1:]:
        for table in re.findall(r'(?:^\|.*\n)+', section, flags=re.MULTILINE):
            rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]
            found[section.splitlines()[0], rows[0][0]] = rows[2:]
    return found


def quoted(text: str) -> list[str]:
    return re.findall(r'`([^`]+)`', text)


def names(section: str, heading: str = 'key') -> list[str]:
    return list(itertools.chain.from_iterable(quoted(row[0]) for row in tables()[section, heading]))


def parameters(built: object) -> set[str]:
    """Return the arguments of a class or function but those that it hands on."""
    given = inspect.signature(built).parameters.values()
    return {each.name for each in given if each.kind is not each.VAR_KEYWORD}


def constants_of(tree: ast.AST) -> dict[str, str]:
    """Return the names to which capitals are assigned, alone or in a tuple."""
    found = {}
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            several = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            sides = zip(target.elts, node.value.elts, strict=True) if several else [(target, node.value)]
            texts = ((key, getattr(value, 'value', None)) for key, value in sides)
            found |= {getattr(key, 'id', ''): text for key, text in texts if re.fullmatch('[A-Z_]+', str(text))}
    return found


def variables_of(path: Path) -> set[str]:
    """Return the environment variables that a file reads, or sets where they are not set."""
    source = path.read_text()
    if path.suffix == '.sh':
        return set(re.findall(r'\$\{([A-Z_]+):-', source))
    found = set(re.findall(r'\{\{\$(\w+):', source))
    tree = ast.parse(source)
    constants = constants_of(tree)
    for node in ast.walk(tree):
        function = ast.unparse(node.func) if isinstance(node, ast.Call) else ''
        if function in ('os.environ.get', 'os.environ.setdefault', 'os.getenv'):
            name = node.args[0]
            known = constants.get(getattr(name, 'id', '')) or getattr(name, 'value', None)
            found |= {known} if known else COMPUTED_VARIABLES[str(path.relative_to(ROOT))]
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == 'os.environ':
            found.add(node.slice.value)
    return found


def environment() -> set[str]:
    files = [path for folder in ('mmkd_video', 'tools', 'configs') for path in (ROOT / folder).rglob('*')]
    return set().union(*(variables_of(path) for path in files if path.suffix in ('.py', '.sh')))


def of_the_package(known: dict[str, type]) -> set[str]:
    return {name for name, each in known.items() if each.__module__.startswith('mmkd_video.')}


ACCEPTED = {
    ('Distiller', 'key'): lambda: parameters(Distiller),
    ('AdversarialTraining', 'key'): lambda: parameters(AdversarialTraining),
    ('AdversarialTraining', 'key of `FGSM`'): lambda: parameters(FGSM),
    ('AdversarialTraining', 'key of `PGD`'): lambda: parameters(PGD),
    ('Masking', 'key of `AttentionMask`'): lambda: parameters(AttentionMask),
    ('Teacher', 'key'): lambda: parameters(FrozenTeacher) - {'name'} | {'type'},  # its key in `teacher` is its name
    ('Teacher', 'key of `CachedTeacher`'): lambda: parameters(CachedTeacher) - {'name'},
    ('Teacher', 'key of `EMATeacher`'): lambda: parameters(EMATeacher) - {'name'},
    ('Teacher', 'key of `PeerTeacher`'): lambda: parameters(PeerTeacher) - {'name'},
    ('Teacher', 'key of `BlockTeacher`'): lambda: parameters(BlockTeacher) | parameters(FrozenTeacher) - {'name'},
    ('Teacher', 'key of `MetaTeacher`'): lambda: parameters(MetaTeacher) - {'name'},
    ('Teacher', 'key of `ProbedTeacher`'): lambda: parameters(ProbedTeacher) | parameters(FrozenTeacher) - {'name'},
    ('Teacher', 'key of `SelfTeacher`'): lambda: parameters(SelfTeacher) - {'name'},
    ('Teacher', 'key of `TeacherEnsemble`'): lambda: parameters(TeacherEnsemble) - {'name'},
    ('Teacher', 'key of `hf::`'): lambda: set(LIBRARIES['hf'].options.kinds),
    ('Teacher', 'key of `module::`'): lambda: set(LIBRARIES['module'].options.kinds),
    ('Teacher', 'key of `timm::`'): lambda: set(LIBRARIES['timm'].options.kinds),
    ('Teacher', 'key of `torchvision::`'): lambda: set(LIBRARIES['torchvision'].options.kinds),
    ('Student', 'key of `SimKDHead`'): lambda: parameters(SimKDHead),
    ('Student', 'key of `DistilledHead`'): lambda: parameters(DistilledHead),
    ('Student', 'key of `PrunedRecognizer`'): lambda: parameters(build_pruned_recognizer),
    ('Student', 'key of `TemporalShiftBackbone`'): lambda: parameters(TemporalShiftBackbone),
    ('Student', 'key of `TimmBackbone`'): lambda: parameters(TimmBackbone),
    ('Student', 'key of `TimmPreprocessor`'): lambda: parameters(TimmPreprocessor),
    ('Terms', 'key'): lambda: set(TERM_KEYS),
    ('Layouts', 'layout'): lambda: set(LAYOUT_SHAPES),
    ('Connectors', 'type'): lambda: {name for name in connectors.__all__ if name.endswith('Connector')},
    ('Schedules', 'type'): lambda: {*of_the_package(known_schedules()), 'Learned'},
    ('Schedules', 'key'): lambda: CLOCK,
    ('DistillViews', 'key'): lambda: parameters(DistillViews),
    ('MultiView', 'key'): lambda: parameters(MultiView),
    ('MultiView', 'key of a view'): lambda: set(TABLE['MultiView.views'].kinds),
    ('MultiView', 'key of `MultiViewBackbone`'): lambda: parameters(MultiViewBackbone),
    ('MultiView', 'key of `ViewFusion`'): lambda: parameters(ViewFusion),
    ('Unlabelled clips', 'key of `MixedVideoDataset`'): lambda: (
        parameters(MixedVideoDataset) - {'ann_file', 'pipeline'}
    ),
    ('Unlabelled clips', 'key of `MixedBatchSampler`'): lambda: (
        parameters(MixedBatchSampler) - {'sampler', 'batch_size'}
    ),
    ('Unreadable videos', 'key of `ReproducibleHook`'): lambda: parameters(ReproducibleHook),
    ('Decoders', 'decoder'): lambda: set(DECODERS),
    ('Base file', 'key of `DistillWatchHook`'): lambda: parameters(DistillWatchHook),
    ('Base file', 'key of `FiniteHook`'): lambda: parameters(FiniteHook),
    ('Weights', 'key of `Balanced`'): lambda: parameters(BalancedWeighting),
    ('Weights', 'key of `Uncertainty`'): lambda: parameters(UncertaintyWeighting),
    ('Weights', 'key of `MetaLearned`'): lambda: parameters(MetaLearnedWeighting),
    ('Weights', 'key of `TeacherConfidence`'): lambda: parameters(TeacherConfidenceWeighting),
    ('Weights', 'key of `TeacherCorrect`'): lambda: parameters(TeacherCorrectWeighting),
    ('Weights', 'key of `Importance`'): lambda: parameters(ImportanceWeighting),
    ('Weights', 'key of `LossRate`'): lambda: parameters(LossRateWeighting),
    ('Base file', 'hook'): lambda: set(BASE_HOOKS),
    ('prepare', 'key'): lambda: set(prepare.PREPARE.kinds),
    ('refresh', 'key'): lambda: set(REFRESH.kinds),
    ('compress', 'key'): lambda: set(compress_settings.COMPRESS.kinds),
    ('compress', 'key of `prune`'): lambda: set(compress_settings.PRUNE.kinds),
    ('Base file', 'key of `StopSignalHook`'): lambda: parameters(hooks.StopSignalHook),
    ('stages', 'key'): lambda: set(stages.STAGE.kinds),
    ('budget', 'key'): lambda: set(budget.BUDGET.kinds),
    ('PruningHook', 'key'): lambda: parameters(PruningHook) | parameters(Pruner),
    ('QATHook', 'key'): lambda: parameters(QATHook),
    ('FeatureSimilarityHook', 'key'): lambda: parameters(hooks.FeatureSimilarityHook),
    ('TermStopHook', 'key'): lambda: parameters(hooks.TermStopHook),
    ('AnnealingHook', 'key'): lambda: parameters(hooks.AnnealingHook),
    ('FreezeHook', 'key'): lambda: parameters(hooks.FreezeHook),
    ('LayerDecay', 'key of `paramwise_cfg`'): lambda: set(TABLE['optim_wrapper.paramwise_cfg'].kinds),
    ('MemoryFormatHook', 'key'): lambda: parameters(hooks.MemoryFormatHook),
    ('Environment', 'variable'): environment,
}


DEFAULTS = {  # whose signature holds what a table calls default; the last one counts
    ('Distiller', 'key'): [Distiller],
    ('AdversarialTraining', 'key'): [AdversarialTraining],
    ('AdversarialTraining', 'key of `FGSM`'): [FGSM],
    ('AdversarialTraining', 'key of `PGD`'): [PGD],
    ('Masking', 'key of `AttentionMask`'): [AttentionMask],
    ('Teacher', 'key of `CachedTeacher`'): [CachedTeacher],
    ('Teacher', 'key of `EMATeacher`'): [EMATeacher],
    ('Teacher', 'key of `PeerTeacher`'): [PeerTeacher],
    ('Teacher', 'key of `SelfTeacher`'): [SelfTeacher],
    ('Teacher', 'key of `TeacherEnsemble`'): [TeacherEnsemble],
    ('Teacher', 'key of `module::`'): [read_own_module],
    ('Student', 'key of `SimKDHead`'): [SimKDHead],
    ('Student', 'key of `DistilledHead`'): [DistilledHead],
    ('Student', 'key of `PrunedRecognizer`'): [build_pruned_recognizer],
    ('Student', 'key of `TemporalShiftBackbone`'): [TemporalShiftBackbone],
    ('Student', 'key of `TimmBackbone`'): [TimmBackbone],
    ('Student', 'key of `TimmPreprocessor`'): [TimmPreprocessor],
    ('Schedules', 'key'): [Schedule],
    ('DistillViews', 'key'): [DistillViews],
    ('MultiView', 'key'): [MultiView],
    ('MultiView', 'key of `MultiViewBackbone`'): [MultiViewBackbone],
    ('MultiView', 'key of `ViewFusion`'): [ViewFusion],
    ('Unlabelled clips', 'key of `MixedVideoDataset`'): [MixedVideoDataset],
    ('Unlabelled clips', 'key of `MixedBatchSampler`'): [MixedBatchSampler],
    ('Unreadable videos', 'key of `ReproducibleHook`'): [ReproducibleHook],
    ('Base file', 'key of `DistillWatchHook`'): [DistillWatchHook],
    ('Base file', 'key of `FiniteHook`'): [FiniteHook],
    ('Weights', 'key of `Balanced`'): [BalancedWeighting],
    ('Weights', 'key of `Uncertainty`'): [UncertaintyWeighting],
    ('Weights', 'key of `MetaLearned`'): [MetaLearnedWeighting],
    ('Weights', 'key of `TeacherConfidence`'): [TeacherConfidenceWeighting],
    ('Weights', 'key of `TeacherCorrect`'): [TeacherCorrectWeighting],
    ('Weights', 'key of `Importance`'): [ImportanceWeighting],
    ('refresh', 'key'): [RefreshSettings],
    ('PruningHook', 'key'): [Pruner, PruningHook],
    ('QATHook', 'key'): [QATHook],
    ('FeatureSimilarityHook', 'key'): [hooks.FeatureSimilarityHook],
    ('TermStopHook', 'key'): [hooks.TermStopHook],
    ('AnnealingHook', 'key'): [hooks.AnnealingHook],
    ('FreezeHook', 'key'): [hooks.FreezeHook],
    ('MemoryFormatHook', 'key'): [hooks.MemoryFormatHook],
    ('Base file', 'key of `StopSignalHook`'): [hooks.StopSignalHook],
}
CHECKED_LATER = [(('Distiller', 'key'), 'teacher'), (('Distiller', 'key'), 'terms')]  # parse_terms wants both


@pytest.mark.parametrize('table', ACCEPTED, ids=' '.join)
def test_a_table_names_what_is_accepted_and_nothing_else(table):
    named = names(*table)
    assert sorted(named) == sorted(ACCEPTED[table]())


def test_every_table_is_held_to_the_code():
    assert set(tables()) == set(ACCEPTED) | {('Taps', 'tap'), ('Taps', '`at`')}


@pytest.mark.parametrize('table', DEFAULTS, ids=' '.join)
def test_defaults_are_those_of_the_code(table):
    given = {
        key: each.default for built in DEFAULTS[table] for key, each in inspect.signature(built).parameters.items()
    }
    for key, default, _ in tables()[table]:
        (key,) = quoted(key)
        if default == 'required':
            assert given[key] is inspect.Parameter.empty or (table, key) in CHECKED_LATER, key
        elif quoted(default) and quoted(default)[0] not in given:
            assert ast.literal_eval(quoted(default)[0]) == given[key], key


def test_taps_are_understood_and_no_alias_is_missing():
    taps = names('Taps', 'tap')
    parsed = [TapPath.parse(tap) for tap in taps]
    assert {*ALIASES, *OUTLETS, 'neck'} <= {path.module for path in parsed}
    for suffix in ('pre', 'call', 'items'):
        assert any(getattr(path, suffix) for path in parsed), suffix
    path = TapPath.parse('module:pre#2[1]')
    assert path.pre and path.call == 2 and path.items == (1,)


def test_forms_of_at_are_understood():
    pair = ('backbone.conv2', 'backbone.layer4')
    expected = [[('logits', 'logits')], [pair], [pair], [('backbone.layer3', 'backbone.layer3'), pair]]
    forms = [eval(name, {'dict': dict}) for name in names('Taps', '`at`')]
    assert [parse_taps(form, isinstance(form, list), 'page') for form in forms] == expected


def test_shapes_of_the_layouts_are_those_of_the_code():
    assert {quoted(row[0])[0]: quoted(row[1])[0] for row in tables()['Layouts', 'layout']} == LAYOUT_SHAPES


@pytest.mark.parametrize('row', tables()['Schedules', 'type'], ids=lambda row: row[0].strip('`'))
def test_schedules_are_built_from_their_examples(row):
    (example,) = quoted(row[3])
    config = eval(example, {'dict': dict})
    if row[0] == 'number':
        assert Scalar(config, 'page').schedule is None
        return
    kind = row[0].strip('`')
    assert config['type'] == kind
    built = LearnedScalar.from_config(config, 'page') if kind == 'Learned' else Scalar(config, 'page').schedule
    named = {name.partition('=')[0] for name in quoted(row[1])}
    assert named == parameters(type(built)) - CLOCK
    for name in quoted(row[1]):
        key, _, default = name.partition('=')
        assert not default or eval(default) == inspect.signature(type(built)).parameters[key].default, name


@pytest.mark.parametrize('row', tables()['Connectors', 'type'], ids=lambda row: row[0].strip('`'))
def test_connectors_have_the_keys_that_are_named(row):
    filled_in = {'in_channels', 'out_channels', 'layout'}
    signature = inspect.signature(MODELS.get(row[0].strip('`'))).parameters
    named = dict(part.split('=') for part in quoted(row[1]))
    assert {key: ast.literal_eval(value) for key, value in named.items()} == {
        key: each.default for key, each in signature.items() if key not in filled_in
    }


def test_the_first_block_is_a_config_that_builds(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = tmp_path / 'mine.py'
    path.write_text(BLOCKS[0].replace("'../", f"'{ROOT}/configs/"))
    config = Config.fromfile(path)
    assert prepare.needed_parts(config)[1].checkpoint == Path(config.model.teacher.checkpoint)
    config.model.teacher.checkpoint = None
    model = MODELS.build(config.model)
    assert list(model.training_state.terms) == ['kd', 'fitnet']
    (views,) = config.train_dataloader.dataset.pipeline
    assert DistillViews(**{key: value for key, value in views.items() if key != 'type'}).specs[0].name == 'teacher'


@pytest.mark.parametrize('block', BLOCKS[1:])
def test_other_blocks_hold_terms_that_are_understood(block):
    read: dict = {}
    exec(compile(block, 'docs/config.md', 'exec'), read)
    model = read['model']
    teachers = list(model['teacher'])
    assert {spec.teacher for spec in parse_terms(model['terms'], teachers)} == set(teachers)
    for teacher in model['teacher'].values():
        assert (ROOT / teacher['config']).is_file()


def headings(page: str) -> set[str]:
    """Return what a link to a place within a page may name."""
    return {each.lower().replace(' ', '-') for each in re.findall(r'^##+ (.*)', page, flags=re.MULTILINE)}


def test_links_lead_somewhere():
    for target in re.findall(r'\]\(([^)]+)\)', PAGE):
        name, _, place = target.partition('#')
        path = ROOT / 'docs' / (name or 'config.md')
        assert path.exists(), target
        assert not place or place in headings(path.read_text()), target
