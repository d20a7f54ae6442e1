"""The pages of the site: those of ``docs/``, those made of other files, and where links between them lead."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from dev.site import markdown, notebook
from dev.site.reference import Reference

README, HOME = 'README.md', 'index'
ELSEWHERE = {'CONTRIBUTING.md': 'contributing', 'CHANGELOG.md': 'changelog', 'docs/tutorial.ipynb': 'tutorial'}
"""Files that are pages of the site, and are not Markdown in ``docs/``."""
LOSSES, REFERENCE = 'losses/README', 'reference/index'
"""Pages whose folders' other pages stand below them in the contents."""
CARRIED = 'repository/'
_KINDS = {'.py': 'python', '.yml': 'yaml', '.sh': 'bash'}


class Pages:
    """All pages of the site, by their path without a suffix.

    Args:
        root: Root of the repository.
        settings: Content of ``site.yml``.
        repository: Address that shows the repository's files, such as ``https://.../blob/main``; without it, those
            that a page links to get pages of their own.

    Raises:
        ValueError: A section of the README is on no page or on several, or there is no such section.
    """

    def __init__(self, root: Path, settings: Mapping, repository: str = '') -> None:
        self._root, self._settings, self._repository = root, settings, repository.rstrip('/')
        self._readme: dict[str, list[str]] = settings['readme']
        self._sections = markdown.sections((root / README).read_text(encoding='utf-8'))
        placed = [name for names in [*self._readme.values(), settings['left_out']] for name in names]
        if sorted(placed) != sorted(self._sections):
            odd = sorted(set(placed) ^ set(self._sections)) or sorted(name for name in placed if placed.count(name) > 1)
            raise ValueError(
                f'site.yml: got {odd[0]!r}; expected each section of {README} once, under readme or left_out'
            )
        self.reference = Reference(root)
        written = sorted((root / 'docs').rglob('*.md'))
        self._sources = {path.relative_to(root).as_posix(): _page(path.relative_to(root / 'docs')) for path in written}
        self._sources |= ELSEWHERE

    def texts(self) -> dict[str, str]:
        """Return the Markdown of each page; those of the rooms are made of docstrings."""
        found = {page: self._changed(README, page, self._cut(names)) for page, names in self._readme.items()}
        found |= {page: self._changed(source, page, self._read(source)) for source, page in self._sources.items()}
        found[REFERENCE] = self.reference.index()
        for page in (LOSSES, REFERENCE):
            found[page] += _toctree([f'/{each}' for each in self.below(page)])
        for caption, pages in self._settings['contents'].items():
            found[HOME] += _toctree([self._entry(page) for page in pages], caption)
        return found | {page: self._carried(path) for path, page in self._outside().items()}

    def files(self) -> list[str]:
        """Return the files in ``docs/`` that pages link to and that are no pages."""
        return sorted({path for path in self._linked() if path.startswith('docs/') and path not in self._sources})

    def listed(self) -> list[str]:
        """Return the pages that the contents lead to, from top to bottom."""
        found = [HOME]
        for page in (page for pages in self._settings['contents'].values() for page in pages):
            found += [page, *self.below(page)]
        return found

    def below(self, page: str) -> list[str]:
        """Return the pages that stand below one in the contents.

        Args:
            page: The page.
        """
        if page == REFERENCE:
            return [f'reference/{room}' for room in self.reference.rooms()]
        if page == LOSSES:
            folder = f'{PurePosixPath(page).parent}/'
            named = [path for path, _ in markdown.links(self._read(f'docs/{page}.md')) if '/' not in path]
            return [folder + path.removesuffix('.md') for path in dict.fromkeys(named) if path.endswith('.md')]
        return []

    def _read(self, source: str) -> str:
        path = self._root / source
        return notebook.as_markdown(path) if path.suffix == '.ipynb' else path.read_text(encoding='utf-8')

    def _cut(self, names: list[str]) -> str:
        first, *others = names
        parts = [f'# {first}\n\n{self._sections[first]}', *(f'## {name}\n\n{self._sections[name]}' for name in others)]
        return '\n'.join(parts)

    def _entry(self, page: str) -> str:
        title = self._settings['titles'].get(page)
        return f'{title} </{page}>' if title else f'/{page}'

    def _changed(self, source: str, page: str, text: str) -> str:
        """Return a text with links that lead from a page of the site where they led from its source."""

        def change(path: str, anchor: str) -> str:
            target, mark = self._target(_joined(source, path), anchor), f'#{anchor}' if anchor else ''
            if markdown.has_scheme(target):
                return target + mark
            return mark if target == f'{page}.md' and mark else os.path.relpath(target, os.path.dirname(page)) + mark

        return markdown.with_links(text, change)

    def _target(self, path: str, anchor: str) -> str:
        """Return the file of the site, or the address, that stands for a file of the repository."""
        if path == README:
            return f'{self._page_of_section(anchor)}.md'
        if path in self._sources:
            return f'{self._sources[path]}.md'
        if path.startswith('docs/'):
            return path.removeprefix('docs/')
        return f'{self._repository}/{path}' if self._repository else f'{CARRIED}{path}.md'

    def _page_of_section(self, anchor: str) -> str:
        for page, names in self._readme.items():
            if any(anchor in {markdown.slug(name), *markdown.anchors(self._sections[name])} for name in names):
                return page
        return HOME

    def _linked(self) -> Iterator[str]:
        for source in (README, *self._sources):
            for path, _ in markdown.links(self._read(source)):
                yield _joined(source, path)

    def _outside(self) -> dict[str, str]:
        """Return the page of each file outside ``docs/`` that is carried into the site."""
        found = {path: self._target(path, '') for path in sorted(set(self._linked()))}
        return {path: _page(PurePosixPath(page)) for path, page in found.items() if page.startswith(CARRIED)}

    def _carried(self, path: str) -> str:
        file = self._root / path
        if file.is_dir():
            shown = '\n'.join(f'- `{each.name}`' for each in sorted(file.iterdir()) if each.is_file())
        else:
            shown = f'```{_KINDS.get(file.suffix, "text")}\n{file.read_text(encoding="utf-8").rstrip()}\n```'
        return f'---\norphan: true\n---\n\n# {path}\n\n{shown}\n'


def _page(path: PurePosixPath | Path) -> str:
    return path.as_posix().removesuffix('.md')


def _joined(source: str, path: str) -> str:
    """Return the path in the repository that a link in a file leads to; without a path, to the file itself."""
    return os.path.normpath(PurePosixPath(source).parent / path).replace(os.sep, '/') if path else source


def _toctree(entries: list[str], caption: str = '') -> str:
    options = [':hidden:', *([f':caption: {caption}'] if caption else [])]
    return '\n'.join(['', '```{toctree}', *options, '', *entries, '```', ''])
