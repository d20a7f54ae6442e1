"""``mmkd doctor``: is this machine ready, and if not, which command makes it so?"""

import argparse
import warnings
from collections.abc import Sequence

from mmkd_video.cli.doctor.check_result import CheckResult
from mmkd_video.cli.doctor.known_breaks import check_breaks
from mmkd_video.cli.doctor.probes import run_probes
from mmkd_video.cli.doctor.promises import PAGE, check_promises
from mmkd_video.cli.doctor.versions import check_versions
from mmkd_video.cli.mistakes import exit_on_error

COLUMN_LIMIT = 60


def _cell(text: str) -> str:
    return text if len(text) <= COLUMN_LIMIT else text[: COLUMN_LIMIT - 3] + '...'


def table(title: str, results: Sequence[CheckResult]) -> str:
    """Return the results as aligned text, each remedy on a line of its own below its result."""
    rows = [(item.state, _cell(item.subject), _cell(item.found), _cell(item.needed)) for item in results]
    # Aligned by hand: rich comes with the packages that may be missing here.
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [title]
    for item, row in zip(results, rows, strict=True):
        cells = [row[column].ljust(widths[column]) for column in range(3)]
        lines.append(('  ' + '  '.join([*cells, row[3]])).rstrip())
        if item.remedy:
            lines.append(' ' * (widths[0] + 4) + '-> ' + item.remedy)
    return '\n'.join(lines)


def closing_lines(results: Sequence[CheckResult]) -> str:
    """Return the last lines of the report: all is well, or the commands to run, each once, in order."""
    remedies = list(dict.fromkeys(item.remedy for item in results if item.state == 'act'))
    if not remedies:
        mended = sum(item.state == 'mended' for item in results)
        return f'All is well: nothing to do ({mended} known breaks are mended by mmkd_video).'
    return '\n'.join(['To do:', *(f'  {remedy}' for remedy in remedies)])


def run_checks() -> list[tuple[str, list[CheckResult]]]:
    """Return (title, results) of each section; the probes are skipped while a version is wrong.

    A probe that fails for a wrong version would only add a second, less exact command.
    """
    sections = [('Versions: state, package, found, needed', check_versions())]
    sections.append(('Known breaks of the stack', check_breaks()))
    if any(item.state == 'act' for _, results in sections for item in results):
        tried = [CheckResult('nothing yet', 'skipped', 'run the doctor again after the commands below', 'note')]
    else:
        tried = run_probes()
    ready = not any(item.state == 'act' for item in sections[0][1])
    kept = check_promises() if ready else [CheckResult('nothing yet', 'skipped', 'correct the versions first', 'note')]
    return [*sections, ('Tried for real', tried), (f'Promises about files ({PAGE})', kept)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report and return 1 when the user must act, else 0.

    Args:
        arguments: Command-line arguments after ``doctor``; there are none but ``--help``.
    """
    parser = argparse.ArgumentParser(prog='mmkd doctor', description='Check this installation.')
    parser.parse_args(arguments)
    with exit_on_error(parser), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        sections = run_checks()
        everything = [item for _, results in sections for item in results]
        print('\n\n'.join(table(title, results) for title, results in sections))
        print('\n' + closing_lines(everything))
    return int(any(item.state == 'act' for item in everything))
