"""The code behind ``dev/report.py``: measured comparisons go into a metafile, and from there into the documents."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from dev.generated_section import with_section
from mmkd_video.benchmark import DeploymentReport, Report
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import name_of_kind
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.workflows.compare.arms import AS_LONG
from mmkd_video.workflows.compare.result import Comparison
from mmkd_video.workflows.compare.table import as_markdown, grid_sentences
from mmkd_video.workflows.measure.loss_costs import LossCosts

METAFILE, RESULTS, README = Path('configs/distill/metafile.yml'), Path('docs/results.md'), Path('README.md')
BENCHMARKS, DEPLOYED, PICTURE = Path('docs/benchmarks.md'), Path('docs/deploy.json'), Path('docs/deploy.png')
COSTS = Path('docs/losses/costs.yml')
MEASURED = ('step', 'scaling', 'stream', 'views', 'cache', 'teachers')  # kinds whose numbers lie beside the page
_REPORT = Table(Anything(1_000_000), most=50)  # each class checks the keys of its own
DATA = 'motion clips'
MAIN = {  # what the README shows
    'i3d_to_mobilenet_few_labels': 'A tenth of the training clips has labels; the teacher was trained on all of them',
    'i3d_to_mobilenet': 'All training clips have labels',
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Record comparisons and write the documents."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.report',
        description=f'Record comparisons in {METAFILE}; write the tables of {RESULTS} and {README}.',
        epilog=EXITS,
    )
    parser.add_argument('comparisons', nargs='*', type=Path, help='folders that tools/compare.py wrote')
    parser.add_argument(
        '--data', help=f'name of the data set of these comparisons; as recorded before by default, else {DATA!r}'
    )
    parser.add_argument('--deploy', type=Path, metavar='FOLDER', help='what tools/compress.py made of the main example')
    parser.add_argument(
        '--note', help="what a reader of these tables must know; as recorded before by default, '': none"
    )
    parser.add_argument(
        '--page', type=Path, help=f'document of these tables; as recorded before by default, else {RESULTS}'
    )
    parser.add_argument(
        '--repeated', metavar='HOW', help='these comparisons repeat recorded ones in another way: other rounding'
    )
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        for path, content in render(options).items():
            write_atomically(content, path)


def render(options: argparse.Namespace) -> dict[Path, bytes]:
    """Read and check everything; return what is to be written, by path.

    Args:
        options: Options of the command line.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is not there, or not what its tool writes; a document lacks the marks of a section.
    """
    with read_from(METAFILE, 'dev/report.py', 'call it in the root of the repository'):
        metafile = yaml.safe_load(METAFILE.read_text())
        results_text(metafile)
    pictures: dict[Path, bytes] = {}
    for folder in options.comparisons:
        path = folder / 'compare.json'
        with read_from(path, 'tools/compare.py', 'give the folder of a comparison that is finished'):
            comparison = read_report(path)
            as_markdown(Comparison.from_dict(comparison))
            if options.repeated:
                repeat(metafile, comparison, options.repeated)
                continue
            picture = record(metafile, comparison, options.data, options.note, folder.resolve().name, options.page)
        with read_from(path.with_suffix('.png'), 'tools/compare.py', 'run the comparison again'):
            pictures[picture] = path.with_suffix('.png').read_bytes()
    found = {METAFILE: as_yaml(metafile), **pictures}
    sections = [(page, 'results', results_text(metafile, page)) for page in pages_of(metafile)]
    sections.append((README, 'results', main_text(metafile)))
    sections += recorded_benchmarks()
    folder = options.deploy or DEPLOYED.parent
    if options.deploy is not None or DEPLOYED.is_file():
        path = folder / DEPLOYED.name
        with read_from(path, 'tools/compress.py', 'give the work dir of a compression that is finished'):
            report = DeploymentReport.from_dict(read_report(path))
            sections += [(README, 'deploy', report.highlights()), (BENCHMARKS, 'benchmark deploy', deploy_text(report))]
    if options.deploy is not None:
        for target in (DEPLOYED, PICTURE):
            path = folder / target.name
            with read_from(path, 'tools/compress.py', 'give the work dir of a compression that is finished'):
                found[target] = path.read_bytes()
    for path, name, text in sections:
        document = found[path] if path in found else path.read_bytes()
        found[path] = with_section(document.decode(), path, name, text).encode()
    return found


def recorded_benchmarks() -> list[tuple[Path, str, str]]:
    """Return page, section and text of what ``dev/update_benchmarks.py`` recorded, with new verdicts.

    Raises:
        ValueError: A file is not what the tool writes.
    """
    found = []
    for kind in MEASURED:
        path = BENCHMARKS.with_name(f'{kind}.json')
        if path.is_file():
            with read_from(
                path, 'tools/benchmark.py', f'record it again: tools/benchmark.py {kind}, then dev.update_benchmarks'
            ):
                report = Report.from_dict(read_report(path))
                found.append((BENCHMARKS, f'benchmark {kind}', report.as_markdown()))
    path = BENCHMARKS.with_name('random_weights.json')
    if path.is_file():
        with read_from(
            path, 'tools/benchmark.py', 'record it again: deploy --random-weights, then dev.update_benchmarks'
        ):
            report = DeploymentReport.from_dict(read_report(path))
            found.append((BENCHMARKS, 'benchmark random weights', report.as_markdown()))
    if COSTS.is_file():
        with read_from(
            COSTS, 'tools/benchmark.py', 'record it again: tools/benchmark.py losses, then dev.update_benchmarks'
        ):
            costs = LossCosts.from_dict(yaml.safe_load(COSTS.read_text()))
            found.append((BENCHMARKS, 'benchmark losses', costs.as_markdown()))
    return found


def read_report(path: Path) -> dict:
    """Return what a tool has saved.

    Args:
        path: Path of the JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON of a dict.
    """
    return read_json(path.read_bytes(), _REPORT, path.name)


@contextmanager
def read_from(path: Path, tool: str, remedy: str) -> Iterator[None]:
    """Name the file in an error of reading it.

    Args:
        path: Path of the file.
        tool: Tool that writes such files.
        remedy: Advice on what to do about it.

    Raises:
        ValueError: The file is not there, or is not what the tool writes.
    """
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f'{path} does not exist; {remedy}') from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path} is not what {tool} writes ({name_of_kind(error)}: {reason}); {remedy}') from error


def record(
    metafile: dict,
    comparison: dict,
    data: str | None = None,
    note: str | None = None,
    folder: str = '',
    page: Path | None = None,
) -> Path:
    """Put a comparison into the metafile, in the place of an older one of the same name.

    Args:
        metafile: Content of the metafile; changed.
        comparison: Content of ``compare.json``.
        data: Name of the data set; by default that of the older one.
        note: Note for readers of the table; by default that of the older one.
        folder: Name of its folder, which becomes that of a comparison of several configs; one of a single config has
            the config's.
        page: Document of its tables; by default that of the older one.

    Returns:
        Where its picture belongs.
    """
    found = Comparison.from_dict(comparison)
    name = next(iter(found.configs)) if len(found.configs) == 1 else folder or '+'.join(found.configs)
    older = next((model for model in metafile.get('Models') or [] if model['Name'] == name), {})
    data = data or older.get('Metadata', {}).get('Training Data', DATA)
    note = older.get('Note', '') if note is None else note
    page = _page(older) if page is None else page
    picture = page.parent / f'compare_{name}.png'
    rows = found.sections[0].rows
    means = {each.name: each.score for each in found.teachers} | {row.arm: row.mean for row in rows}
    entry = {
        'Name': name,
        'Config': found.config,
        'In Collection': 'mmkd_video',
        'Metadata': {'Parameters': rows[-1].params, 'Training Data': data},
        'Results': [
            {
                'Task': 'Action Recognition',
                'Dataset': data,
                'Metrics': {key: round(mean, 4) for key, mean in means.items() if mean is not None},
            }
        ],
        **({'Note': note} if note else {}),
        **({'Page': page.as_posix()} if page != RESULTS else {}),
        'Picture': picture.name,
        'Comparison': comparison,
    }
    models = [model for model in metafile.get('Models') or [] if model['Name'] != name]
    metafile['Models'] = sorted([*models, entry], key=lambda model: model['Name'])
    return picture


def repeat(metafile: dict, comparison: dict, how: str) -> None:
    """Put a comparison beside the recorded one of the same config.

    Args:
        metafile: Content of the metafile; changed.
        comparison: Content of ``compare.json``.
        how: Text that says what was different; it takes the place of an older one that says the same.

    Raises:
        ValueError: Nothing of this config is recorded.
    """
    name = next(iter(Comparison.from_dict(comparison).configs))
    model = next((model for model in metafile.get('Models') or [] if model['Name'] == name), None)
    if model is None:
        raise ValueError(f'{name} is not recorded yet; record it without --repeated first')
    model['Repeated'] = {**model.get('Repeated', {}), how: comparison}


def as_yaml(metafile: dict) -> bytes:
    """Return a metafile as YAML, in its order; what has no further parts, such as a trial, is a line."""
    return yaml.safe_dump(metafile, sort_keys=False, width=120, default_flow_style=None).encode()


def pages_of(metafile: dict) -> list[Path]:
    """Return the documents that have tables of comparisons."""
    return sorted({RESULTS, *(_page(model) for model in metafile.get('Models') or [])})


def _page(model: dict) -> Path:
    return Path(model.get('Page', RESULTS))


def results_text(metafile: dict, page: Path = RESULTS) -> str:
    """Return all tables of a document.

    Args:
        metafile: Content of the metafile.
        page: Path of the document.
    """
    parts = [
        f'## {model["Name"]}: {model["Metadata"]["Training Data"]}\n\n'
        f'{as_markdown(Comparison.from_dict(model["Comparison"]))}{_picture(model)}{_note(model)}{_repeated(model)}'
        for model in metafile.get('Models') or []
        if _page(model) == page
    ]
    return '\n\n'.join(parts) or 'Nothing is recorded yet.'


def deploy_text(report: DeploymentReport) -> str:
    """Return the whole table of a deployment, with its picture, for docs/benchmarks.md."""
    return f'{report.as_markdown()}\n\n![Accuracy against latency]({DEPLOYED.with_suffix(".png").name})'


def _note(model: dict) -> str:
    return f'\n\n{model["Note"]}' if model.get('Note') else ''


def _repeated(model: dict) -> str:
    found = model.get('Repeated', {}).items()
    return ''.join(f'\n\n### {how}\n\n{as_markdown(Comparison.from_dict(each))}' for how, each in found)


def _repeated_lines(model: dict) -> str:
    lines = []
    for how, saved in model.get('Repeated', {}).items():
        gain = saved['findings'][0]
        low, high = (100 * gain['student'][end] for end in ('low', 'high'))
        lines.append(
            f'{how}: {100 * gain["mean"]:+.2f} ({low:+.2f} to {high:+.2f}), {gain["wins"]} of {gain["pairs"]} seeds '
            f'gain, worst pair {100 * gain["worst"]:+.2f}.{_as_long(saved)}{_at_the_grid(saved)} '
            '[The table](docs/results.md).'
        )
    return ''.join(f'\n\n{line}' for line in lines)


def _as_long(saved: dict) -> str:
    shipped = saved['sections'][0]
    lengths = {row['arm']: row['length'] for row in shipped['rows'] if row['kind'] == AS_LONG}
    found = [each for each in saved['findings'] if each.get('section') == shipped['title']]
    texts = [
        f' Over the student alone for as long ({lengths[each["minus"]]}): {100 * each["mean"]:+.2f} '
        f'({100 * each["student"]["low"]:+.2f} to {100 * each["student"]["high"]:+.2f}).'
        for each in found
        if each['minus'] in lengths and each['student'] is not None
    ]
    return ''.join(texts)


def _at_the_grid(saved: dict) -> str:
    comparison = Comparison.from_dict(saved)
    points = [section for section in comparison.sections if section.in_grid]
    if not points:
        return ''
    settings = ', '.join(section.title for section in points)
    return f' Over the grid ({settings}): {" ".join(grid_sentences(comparison, points))}'


def _picture(model: dict) -> str:
    return f'\n\n![Every seed of {model["Name"]}]({model["Picture"]})' if model.get('Picture') else ''


def main_text(metafile: dict) -> str:
    """Return the tables of the main examples, for the README."""
    found = {model['Name']: model for model in metafile.get('Models') or []}
    parts = [
        f'**{title}** (`{found[name]["Config"]}`):\n\n'
        f'{as_markdown(Comparison.from_dict(found[name]["Comparison"]), brief=True)}{_repeated_lines(found[name])}'
        for name, title in MAIN.items()
        if name in found
    ]
    return '\n\n'.join(parts) or 'Not recorded yet.'


if __name__ == '__main__':
    main()
