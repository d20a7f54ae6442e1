"""The code behind ``dev/loss_pages.py``: a page for every loss and a table of all, in ``docs/losses``."""

import argparse
import inspect
import json
from collections.abc import Sequence
from pathlib import Path

from dev.loss_accuracy import MEASURE, LossAccuracy
from dev.loss_docstring import LossDocstring, page_name
from dev.loss_index import index_page
from dev.loss_sources import ACCURACY, FOLDER, LINES, WRITTEN, Sources
from dev.report import read_from, read_report
from mmkd_video import losses
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.connectors import AttentionFusionConnector
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.losses.base import SHAPES
from mmkd_video.models import SimKDHead
from mmkd_video.schedules import LearnedScalar
from mmkd_video.workflows.compare.settings import SAVED
from mmkd_video.workflows.measure.loss_costs import LossCosts

PARTS = {
    'mmkd_video.connectors.AttentionFusionConnector': AttentionFusionConnector,
    'mmkd_video.models.SimKDHead': SimKDHead,
    'mmkd_video.schedules.LearnedScalar': LearnedScalar,
}
"""What beside a loss a method may consist of."""

NEEDS = dict(
    labels='the labels of the batch',
    indices='the index of each clip in the training set',
    teacher_head="the teacher's classifier",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pages that differ from their sources."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.loss_pages', description=f'Write {FOLDER}/*.md from their sources.', epilog=EXITS
    )
    parser.add_argument('--check', action='store_true', help='write nothing; exit with 1 where a page is out of date')
    parser.add_argument(
        '--accuracy', type=Path, metavar='FOLDER', help=f'record the comparison in this folder first: {MEASURE}'
    )
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        if options.accuracy is not None:
            record_accuracy(options.accuracy / SAVED)
        wanted = pages(Sources.read())
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    changed += [path for path in FOLDER.glob('*.md') if path not in wanted]
    for path in changed:
        print(f'{path}: {"out of date" if options.check else "written" if path in wanted else "removed"}')
        if not options.check and path in wanted:
            write_atomically(wanted[path].encode(), path)
        elif not options.check:
            path.unlink()
    parser.exit(1 if options.check and changed else 0)


def record_accuracy(path: Path) -> None:
    """Keep a comparison of the losses beside their pages.

    Args:
        path: Result file of ``tools/compare.py``.

    Raises:
        ValueError: It is not there, or is no comparison of the configs of losses.
    """
    with read_from(path, 'tools/compare.py', 'give the folder of a comparison that is finished'):
        content = read_report(path)
        LossAccuracy.read(content)
    write_atomically((json.dumps(content) + '\n').encode(), ACCURACY)


def pages(sources: Sources) -> dict[Path, str]:
    """Return the text of every page, by its path."""
    classes = {name: getattr(losses, name) for name in sources.lines}
    found = {FOLDER / f'{page_name(each)}.md': loss_page(each, sources) for each in classes.values()}
    found |= {FOLDER / f'{name.lower()}.md': method_page(name, sources) for name in sources.methods}
    return {**found, FOLDER / 'README.md': index_page(classes, sources)}


def method_page(name: str, sources: Sources) -> str:
    """Return the page of a method that is more than a loss.

    Raises:
        ValueError: Its part does not exist, or lacks a section in its docstring.
    """
    line, configs = sources.methods[name], sources.configs.get(name, {})
    part, loss_class = PARTS.get(line['part']), getattr(losses, line['loss'])
    if part is None:
        raise ValueError(f'{LINES}: {name} has part {line["part"]!r}, expected one of {", ".join(PARTS)}')
    said = LossDocstring.of(part)
    parts = [WRITTEN, f'# {name}', f'{said.title}. [All losses](README.md)', said.summary, '## Formula', said.body]
    parts += ['## What it consists of', f'`{part.__name__}` with [{line["loss"]}]({page_name(loss_class)}.md).']
    parts += ['## When to use it', line['use'], f'## Parameters of `{part.__name__}`', _parameters(said)]
    parts += ['## Official default weight', f'{line["weight"]}.']
    parts += ['## Cost', _costs(configs, sources.costs), *_accuracy(configs, sources.accuracy)]
    parts += ['## Source and differences', said.origin.replace('Source: ', f'*{line["paper"]}*: ', 1)]
    parts += ['## Config', _configs(configs)]
    return '\n\n'.join(parts) + '\n'


def loss_page(loss_class: type, sources: Sources) -> str:
    """Return the page of one loss.

    Raises:
        ValueError: Its docstring lacks a part.
    """
    name, said = loss_class.__name__, LossDocstring.of(loss_class)
    line, configs = sources.lines[name], sources.configs.get(name, {})
    parts = [WRITTEN, f'# {name}', f'{said.title}. [All losses](README.md)', said.summary]
    parts += ['## Formula', said.body] if said.body else []
    parts += ['## What it compares', _compared(loss_class), '## When to use it', line['use']]
    parts += ['## Parameters', _parameters(said)]
    weight = f'{line["weight"]}; it multiplies the unweighted loss. A term without `weight` is balanced.'
    parts += ['## Official default weight', weight]
    parts += ['## Cost', _costs(configs, sources.costs), *_accuracy(configs, sources.accuracy)]
    parts += ['## Source and differences', said.origin.replace('Source: ', f'*{line["paper"]}*: ', 1)]
    parts += ['## Config', _configs(configs)]
    return '\n\n'.join(part for part in parts if part) + '\n'


def _compared(loss_class: type) -> str:
    shapes = [f'{kind} `{shape}`' for kind, shape in (SHAPES[each].split(' ', 1) for each in loss_class.layouts)]
    shapes = [shape.replace(' or ', '` or `') for shape in shapes]
    if loss_class.clips_only:
        shapes = [shape.replace(' or `(N, C, H, W)`', '') for shape in shapes]
    many = f'A list of at least {loss_class.min_layers} layers a side: ' if loss_class.multi_layer else ''
    lines = [f'- {many}{"; ".join(shapes)}.']
    if 'logits' in loss_class.layouts:
        fewest = f', at least {loss_class.min_classes}' if loss_class.min_classes > 1 else ''
        lines.append(f'- Classes: {"equal" if loss_class.same_classes else "may differ"}{fewest}.')
    if loss_class.layouts != ('logits',):
        connected = 'equal; a term puts a trained connector where they differ'
        lines.append(f'- Channels: {connected if loss_class.same_channels else "may differ"}.')
    if {'tokens', 'map'} & set(loss_class.layouts):
        matched = 'equal; a term averages the larger side'
        lines.append(f'- Time and space: {matched if loss_class.same_positions else "may differ"}.')
    needed = [text for key, text in NEEDS.items() if key in inspect.signature(loss_class.forward).parameters]
    if needed:
        lines.append(f'- It is also given {" and ".join(needed)}.')
    return '\n'.join(lines)


def _parameters(said: LossDocstring) -> str:
    lines = [
        f'- `{name}`{"" if default is None else f" (default `{default}`)"}: {meaning}'
        for name, default, meaning in said.parameters
    ]
    return '\n'.join(lines) or 'None.'


def _costs(configs: dict[str, str], costs: LossCosts | None) -> str:
    found = [] if costs is None else [(name, costs.costs[name]) for name in configs if name in costs.costs]
    lines = []
    if costs is not None and 'kd' in configs:
        lines.append(f'- `kd`: what others are compared with; a step takes {costs.facts["step with KDLoss"]}.')
    for name, cost in found:
        time = f'{cost.time.median:.3f} ({cost.time.low:.3f} to {cost.time.high:.3f}) times the step with KDLoss alone'
        memory = '' if cost.memory is None else f', {cost.memory / 1e6:+.1f} MB at the peak'
        lines.append(f'- `{name}` ({cost.terms}): {time}{memory}.')
    return '\n'.join([*lines, '', '[How it is measured](../benchmarks.md#losses).']) if lines else 'Not measured.'


def _configs(configs: dict[str, str]) -> str:
    parts = [
        f'[configs/losses/{name}.py](../../configs/losses/{name}.py)\n\n```python\n{text}\n```'
        for name, text in configs.items()
    ]
    return '\n\n'.join(parts) or 'None for the embedded pair.'


def _accuracy(configs: dict[str, str], accuracy: LossAccuracy | None) -> list[str]:
    lines = [] if accuracy is None else [accuracy.line(name) for name in configs if accuracy.knows(name)]
    if not lines:
        return []
    how = '[All losses ranked, and how it is measured](README.md#accuracy-ranked).'
    return ['## Accuracy', '\n'.join([*lines, '', how])]


if __name__ == '__main__':
    main()
