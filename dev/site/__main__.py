"""Build the site: ``python -m dev.site``, in an environment with ``requirements/docs.txt``."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from sphinx.cmd.build import main as build

from dev.site.docstrings import room_page
from dev.site.output import expect_site_or_nothing
from dev.site.pages import REFERENCE, Pages

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages and build them; a warning is an error.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog='python -m dev.site', description='Build the documentation as a site.')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/site'), help='folder of the site; an older site is replaced'
    )
    parser.add_argument(
        '--repository',
        default=os.environ.get('REPOSITORY_URL', ''),
        metavar='URL',
        help='where files of the repository are shown, such as https://host/owner/name/blob/main; '
        'without it the site carries those that it links to',
    )
    options = parser.parse_args(arguments)
    try:
        expect_site_or_nothing(options.out)
    except FileExistsError as error:
        parser.error(str(error))
    shutil.rmtree(options.out, ignore_errors=True)
    contents = yaml.safe_load((HERE / 'site.yml').read_text(encoding='utf-8'))
    with tempfile.TemporaryDirectory() as source:
        write_source(Path(source), Pages(ROOT, contents, options.repository))
        return build(
            ['-q', '-W', '--keep-going', '-j', 'auto', '-b', 'html', '-c', str(HERE), source, str(options.out)]
        )


def write_source(folder: Path, pages: Pages) -> None:
    """Write what Sphinx reads.

    Args:
        folder: A new folder.
        pages: The pages.
    """
    rooms = {f'{page}.rst': room_page(pages.reference, Path(page).name) for page in pages.below(REFERENCE)}
    for name, text in ({f'{page}.md': text for page, text in pages.texts().items()} | rooms).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    for name in pages.files():
        target = folder / Path(name).relative_to('docs')
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)


if __name__ == '__main__':
    sys.exit(main())
