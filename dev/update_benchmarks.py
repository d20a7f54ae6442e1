"""The numbers that ``tools/benchmark.py`` saved go into the repository, and their tables into a page."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from dev.generated_section import with_section
from dev.report import BENCHMARKS, COSTS, read_from, read_report
from mmkd_video.benchmark import DeploymentReport, Report
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.workflows.measure.loss_costs import LossCosts
from mmkd_video.workflows.measure.saved import (
    CACHE,
    DEPLOY,
    KIND,
    LOSSES,
    RANDOM_WEIGHTS,
    SCALING,
    STEP,
    STREAM,
    TEACHERS,
    VIEWS,
)

REPORTS = {
    STEP: Report,
    STREAM: Report,
    SCALING: Report,
    VIEWS: Report,
    CACHE: Report,
    TEACHERS: Report,
    DEPLOY: DeploymentReport,
    RANDOM_WEIGHTS: DeploymentReport,
    LOSSES: LossCosts,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Record benchmarks and write their tables."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.update_benchmarks',
        description='Record what tools/benchmark.py saved beside a page, and write the tables into it.',
        epilog=EXITS,
    )
    parser.add_argument('saved', nargs='+', type=Path, help='files of work_dirs/benchmark')
    parser.add_argument('--page', type=Path, default=BENCHMARKS, help=f'{BENCHMARKS} by default')
    options = parser.parse_args(arguments)
    with exit_on_error(parser):
        for path, content in render(options.saved, options.page).items():
            write_atomically(content, path)


def render(saved: Sequence[Path], page: Path) -> dict[Path, bytes]:
    """Read and check everything; return what is to be written, by path.

    Args:
        saved: Paths of the files that the benchmarks saved.
        page: Path of the document with their sections.

    Raises:
        OSError: The page cannot be read.
        ValueError: A file is not there, or not what the tool writes; the page lacks the marks of a section.
    """
    document, found = page.read_text(encoding='utf-8'), {}
    for path in saved:
        with read_from(path, 'tools/benchmark.py', 'measure it again'):
            numbers = read_report(path)
            kind = numbers.get(KIND)
            if kind not in REPORTS:
                raise ValueError(f'got {KIND} {kind!r}; expected one of {", ".join(REPORTS)}')
            report = REPORTS[kind].from_dict(numbers)
            text = report.as_markdown()
        document = with_section(document, page, f'benchmark {kind}', text)
        record, content = recorded(report, kind, page)
        found[record] = content
    return {**found, page: document.encode()}


def recorded(report: Report | LossCosts | DeploymentReport, kind: str, page: Path) -> tuple[Path, bytes]:
    """Return the path and the content of the numbers of a page, from which ``dev/report.py`` writes it again.

    Args:
        report: Report of a benchmark.
        kind: Name of its section.
        page: Path of the page, beside which the numbers lie.
    """
    if isinstance(report, LossCosts):
        path = page.parent / COSTS.relative_to(BENCHMARKS.parent)
        return path, yaml.safe_dump(report.summary(), sort_keys=False, width=120).encode()
    shown = {key: value for key, value in report.as_dict().items() if key != 'raw'}
    return page.with_name(f'{kind.replace(" ", "_")}.json'), (json.dumps(shown, indent=1) + '\n').encode()


if __name__ == '__main__':
    main()
