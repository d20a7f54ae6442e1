"""``mmkd doctor``: is this machine ready, and if not, which command makes it so?"""

import argparse
import warnings
from collections.abc import Sequence

from mmkd_video.cli.doctor.finding import Finding
from mmkd_video.cli.doctor.known_breaks import break_findings
from mmkd_video.cli.doctor.probes import probe_findings
from mmkd_video.cli.doctor.promises import PAGE, promise_findings
from mmkd_video.cli.doctor.versions import version_findings
from mmkd_video.cli.mistakes import exit_on_error

COLUMN_LIMIT = 60


def _cell(text: str) -> str:
    return text if len(text) <= COLUMN_LIMIT else text[: COLUMN_LIMIT - 3] + '...'


def table(title: str, findings: Sequence[Finding]) -> str:
    """Return the findings as aligned text, each remedy on a line of its own below its finding."""
    rows = [(item.state, _cell(item.subject), _cell(item.found), _cell(item.needed)) for item in findings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [title]
    for item, row in zip(findings, rows, strict=True):
        cells = [row[column].ljust(widths[column]) for column in range(3)]
        lines.append(('  ' + '  '.join([*cells, row[3]])).rstrip())
        if item.remedy:
            lines.append(' ' * (widths[0] + 4) + '-> ' + item.remedy)
    return '\n'.join(lines)


def verdict(findings: Sequence[Finding]) -> str:
    """Return the closing lines: all is well, or the commands to run, each once, in order."""
    remedies = list(dict.fromkeys(item.remedy for item in findings if item.state == 'act'))
    if not remedies:
        mended = sum(item.state == 'mended' for item in findings)
        return f'All is well: nothing to do ({mended} known breaks are mended by mmkd_video).'
    return '\n'.join(['To do:', *(f'  {remedy}' for remedy in remedies)])


def examine() -> list[tuple[str, list[Finding]]]:
    """Return (title, findings) of each section; nothing is tried for real while a version is wrong.

    A try that fails for a wrong version would only add a second, less exact command.
    """
    sections = [('Versions: state, package, found, needed', version_findings())]
    sections.append(('Known breaks of the stack', break_findings()))
    if any(item.state == 'act' for _, findings in sections for item in findings):
        tried = [Finding('nothing yet', 'skipped', 'run the doctor again after the commands below', 'note')]
    else:
        tried = probe_findings()
    ready = not any(item.state == 'act' for item in sections[0][1])
    kept = promise_findings() if ready else [Finding('nothing yet', 'skipped', 'correct the versions first', 'note')]
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
        sections = examine()
    print('\n\n'.join(table(title, findings) for title, findings in sections))
    everything = [item for _, findings in sections for item in findings]
    print('\n' + verdict(everything))
    return int(any(item.state == 'act' for item in everything))
