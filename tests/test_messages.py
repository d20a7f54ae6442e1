"""Wrong usage of each tool: one line that names what was got and what is expected, and nothing is overwritten."""

import importlib
import subprocess
from pathlib import Path

import pytest

from dev import loss_pages
from dev import report as recording
from mmkd_video.cli.arguments import OPTIONS

ROOT = Path(__file__).parents[1]
NAMES = (
    'ablate attack baseline benchmark cache chain check_data compare compress distill export frontier prune quantize '
    'render report robustness shrink stream test train'
)
TOOLS = {name: importlib.import_module(f'mmkd_video.cli.{name}') for name in NAMES.split()}
TOOLS |= dict(loss_pages=loss_pages, recording=recording)


def options_of(parser):
    """Return the options of a tool that take a number, with the words before them."""
    for action in parser._actions:
        if hasattr(action, 'choices') and isinstance(action.choices, dict):
            for name, inner in action.choices.items():
                yield from (([name, *words], option) for words, option in options_of(inner))
        elif name := next((each for each in action.option_strings if each in OPTIONS.kinds), None):
            yield [], name


OPTION_CASES = [
    pytest.param(tool, words, option, text, id=f'{"-".join([tool, *words])}{option}={text}')
    for tool, module in TOOLS.items()
    if hasattr(module, 'build_parser')
    for words, option in options_of(module.build_parser())
    if (tool, option) != ('compare', '--jobs') and not (tool == 'compare' and option.endswith('seeds'))
    for text in ('x', '-3', '1e300', 'nan', '')
    if not (text == '-3' and OPTIONS.kinds[option].accepts(-3)) and option != '--local_rank'
]


def told_by(tool, arguments, capsys, code):
    with pytest.raises(SystemExit) as stopped:
        TOOLS[tool].main(arguments)
    said = capsys.readouterr().err
    assert stopped.value.code == code, said
    assert 'Traceback' not in said
    return said.strip().splitlines()[-1]


@pytest.mark.parametrize(('tool', 'words', 'option', 'text'), OPTION_CASES)
def test_a_wrong_number_of_a_tool_is_wrong_usage(tool, words, option, text, capsys):
    said = told_by(tool, [*words, f'{option}={text}'], capsys, 2)
    assert option in said and f'got {text!r}; expected ' in said


CONFIG_TOOLS = dict(
    ablate=['{config}'],
    attack=['{config}', '{there}'],
    cache=['{config}'],
    chain=['{config}', '{config}'],
    check_data=['{config}'],
    compare=['{config}'],
    compress=['{config}'],
    distill=['{config}'],
    export=['{config}', 'none.pth', '--out', '{new}.onnx'],
    prune=['{config}', 'none.pth', '--target-params', '0.5', '--out', '{new}.pth'],
    quantize=['{config}', 'none.pth', '--out', '{new}.xml'],
    robustness=['{config}', '{there}'],
    shrink=['{config}', '--gflops', '1'],
    test=['{config}', '{there}'],
    train=['{config}'],
)
NEEDS = dict(CONFIG_TOOLS, baseline=[], frontier=[], report=[], stream=[], benchmark=[])
CONFIGS = {
    'missing': (
        None,
        "config: got '{config}'; expected the path of a config, or 'mmaction::...'; there is no such file",
    ),
    'readme.md': ('# A README', "config: got '{config}'; expected a file that ends in .py, .json, .yml, .yaml"),
    'broken.py': ('model = dict(', '{config}: got SyntaxError: '),
    'raises.py': ("x = 1 / 0\nmodel = dict(type='A')", '{config}: got ZeroDivisionError: '),
    'empty.py': ('x = 1', 'model: got nothing in {config}; expected a dict with its type'),
    'model.py': ('model = 7', "model: got 7; expected a dict with its type, dict(type='...')"),
    'type.py': ("model = dict(type='A', backbone=dict(type=7))", 'model.backbone.type: got 7; expected the name of'),
    'classes.py': (
        "model = dict(type='A', cls_head=dict(num_classes=-1))",
        'model.cls_head.num_classes: got -1; expected a whole number of at least 1',
    ),
    'rate.py': (
        "model = dict(type='A')\noptim_wrapper = dict(optimizer=dict(type='SGD', lr='x'))",
        "optim_wrapper.optimizer.lr: got 'x'; expected a number of at least 0",
    ),
}


def filled_in(words, config, folder):
    there = folder / 'there.pth'
    there.touch()
    return [word.format(config=config, new=folder / 'new', there=there) for word in words]


@pytest.mark.parametrize('name', CONFIGS)
@pytest.mark.parametrize('tool', CONFIG_TOOLS)
def test_a_wrong_config_is_told_in_one_line(tool, name, tmp_path, capsys):
    text, message = CONFIGS[name]
    config = tmp_path / name
    if text is not None:
        config.write_text(text)
    said = told_by(tool, filled_in(CONFIG_TOOLS[tool], config, tmp_path), capsys, 1)
    assert said.startswith(f'error: {message.format(config=config)}') and 'expected ' in said


@pytest.mark.parametrize('tool', [tool for tool in NEEDS if tool != 'ablate'])
def test_a_missing_argument_is_wrong_usage(tool, capsys):
    assert 'required: ' in told_by(tool, [], capsys, 2)


@pytest.mark.parametrize('tool', TOOLS)
def test_an_unknown_option_is_wrong_usage(tool, tmp_path, capsys):
    words = dict(
        CONFIG_TOOLS,
        baseline=['.'],
        frontier=['.'],
        report=['.'],
        stream=['a.mp4', '--model', 'a.xml'],
        benchmark=['step'],
    ).get(tool, [])
    assert '--bogus' in told_by(tool, [*filled_in(words, 'c.py', tmp_path), '--bogus'], capsys, 2)


@pytest.mark.parametrize('tool', CONFIG_TOOLS)
@pytest.mark.parametrize('option', ['x', '=3'])
def test_an_option_of_a_config_without_a_value_is_wrong_usage(tool, option, tmp_path, capsys):
    words = filled_in(CONFIG_TOOLS[tool], 'c.py', tmp_path)
    said = told_by(tool, [*words, '--cfg-options', option], capsys, 2)
    assert f'--cfg-options: got {option!r}; expected KEY=VALUE such as ' in said


EXISTING = dict(
    export=['c.py', 'none.pth', '--out', '{there}.onnx'],
    prune=['{config}', 'none.pth', '--target-params', '0.5', '--out', '{there}.pth'],
    quantize=['{config}', 'none.pth', '--out', '{there}.xml'],
    shrink=['{config}', '--gflops', '1', '--out', '{there}.py'],
    stream=['{there}.mp4', '--model', 'm.xml', '--out', '{there}.jsonl'],
    benchmark=['step', '--out', '{there}.json'],
)


@pytest.mark.parametrize(
    ('tool', 'words', 'remedy'),
    [
        ('test', ['{folder}/config.py', '{folder}/kept.json', '--report', '{folder}/kept.json'], ', or --force'),
        ('test', ['{folder}/config.py', '{folder}/kept.json', '--dump', '{folder}/kept.json'], ', or --force'),
        ('train', ['{folder}/config.py', '--publish', '{folder}/kept.json'], ''),
    ],
)
def test_what_was_made_before_stays(tool, words, remedy, tmp_path, capsys):
    known = filled_folder(tmp_path)
    said = told_by(tool, [word.format(**known) for word in words], capsys, 1)
    assert said.rstrip().startswith(f'error: {words[-2]}: {tmp_path}/kept.json exists; give another name{remedy}')
    assert (tmp_path / 'kept.json').read_text() == 'kept'


@pytest.mark.parametrize('tool', EXISTING)
def test_existing_output_stays(tool, tmp_path, capsys):
    config = tmp_path / 'c.py'
    config.write_text("model = dict(type='A')")
    for suffix in ('onnx', 'pth', 'xml', 'py', 'jsonl', 'mp4', 'json'):
        (tmp_path / f'there.{suffix}').write_text('kept')
    words = [word.format(config=config, there=tmp_path / 'there') for word in EXISTING[tool]]
    said = told_by(tool, words, capsys, 1)
    assert 'there.' in said and 'exist' in said and '--force' in said
    assert (tmp_path / 'there.pth').read_text() == 'kept'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['', '--model', 'm.xml'], "source: got ''; expected a video, a folder of videos, a camera"),
        (['  ', '--model', 'm.xml'], "source: got '  '; expected a video"),
        (['nowhere.mp4', '--model', 'm.xml'], 'nowhere.mp4'),
        (['0', '--model', ''], "--model: got ''; expected"),
        (['0', '--model', 'nowhere.xml'], 'nowhere.xml'),
        (['0', '--model', 'm.txt'], 'm.txt'),
    ],
)
def test_what_cannot_be_streamed_is_told_in_one_line(arguments, message, capsys):
    assert message in told_by('stream', arguments, capsys, 1)


GONE = dict(
    ablate=['{folder}/nowhere.py'],
    attack=['{config}', '{folder}/nowhere.pth'],
    baseline=['{folder}/nowhere'],
    benchmark=['stream', '--model', '{folder}/nowhere.xml'],
    cache=['{folder}/nowhere.py'],
    chain=['{folder}/nowhere.py', '{folder}/nowhere.py'],
    check_data=['{folder}/nowhere.py'],
    compare=['{folder}/nowhere.py'],
    compress=['{folder}/nowhere.py'],
    distill=['{folder}/nowhere.py'],
    export=['{config}', '{folder}/nowhere.pth', '--out', '{folder}/new.onnx'],
    frontier=['{folder}/nowhere'],
    prune=['{config}', '{folder}/nowhere.pth', '--target-params', '0.5', '--out', '{folder}/new.pth'],
    quantize=['{config}', '{folder}/nowhere.pth', '--out', '{folder}/new.xml'],
    render=['{folder}/kept.json/nowhere'],
    recording=['{folder}/nowhere'],
    report=['{folder}/nowhere'],
    robustness=['{config}', '{folder}/nowhere.pth'],
    shrink=['{folder}/nowhere.py', '--gflops', '1'],
    stream=['{folder}/nowhere.mp4', '--model', '{folder}/nowhere.xml'],
    test=['{config}', '{folder}/nowhere.pth'],
    train=['{folder}/nowhere.py'],
)


def filled_folder(folder):
    config, kept = folder / 'config.py', folder / 'kept.json'
    config.write_text("model = dict(type='A')")
    kept.write_text('kept')
    return dict(folder=folder, config=config)


@pytest.mark.parametrize('tool', GONE)
def test_a_path_where_nothing_is_is_named_and_nothing_is_written(tool, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    known = filled_folder(tmp_path)
    said = told_by(tool, [word.format(**known) for word in GONE[tool]], capsys, 1)
    assert said.startswith('error: ') and str(tmp_path / 'nowhere') in said.replace('kept.json/', '')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['config.py', 'kept.json']


def test_the_tool_that_takes_no_path_refuses_one(tmp_path, capsys):
    assert str(tmp_path) in told_by('loss_pages', [str(tmp_path)], capsys, 2)


def test_clips_are_not_rendered_among_other_data(tmp_path, capsys):
    filled_folder(tmp_path)
    said = told_by('render', [str(tmp_path)], capsys, 1)
    assert f'{tmp_path} holds other data: name an empty or a new folder' in said
    assert (tmp_path / 'kept.json').read_text() == 'kept' and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize('option', ['--out', '--picture'])
@pytest.mark.parametrize('kind', ['step', 'losses', 'deploy', 'stream'])
def test_a_benchmark_replaces_no_file(kind, option, tmp_path, capsys):
    filled_folder(tmp_path)
    kept = tmp_path / 'kept.json'
    parser = TOOLS['benchmark'].build_parser()
    words = [kind, *(['--model', 'm.xml'] if kind == 'stream' else [])]
    if not hasattr(parser.parse_args(words), option[2:]):
        assert option in told_by('benchmark', [*words, option, str(kept)], capsys, 2)
        return
    said = told_by('benchmark', [*words, option, str(kept)], capsys, 1)
    assert f'{option}: {kept} exists; give another name, or --force to replace it' in said
    assert kept.read_text() == 'kept'


@pytest.mark.parametrize('tool', ['dist_train.sh', 'dist_test.sh'])
def test_a_launcher_without_its_arguments_is_wrong_usage(tool):
    done = subprocess.run(['bash', str(ROOT / 'tools' / tool), 'c.py'], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(f'usage: tools/{tool} CONFIG ')


def test_every_tool_is_tried_with_a_wrong_path():
    assert {*GONE, 'loss_pages'} == set(TOOLS)


def test_there_are_as_many_cases_as_promised():
    assert len(OPTION_CASES) + len(CONFIGS) * len(CONFIG_TOOLS) > 150
