"""A Sphinx extension: ``mermaid`` blocks as diagrams that the reader's browser draws.

The library lies in the site itself, so that a page asks no other server for it; a Python package that is installed
with ``requirements/docs.txt`` brings it.
"""

from html import escape
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.errors import ExtensionError

CARRIER = 'mermaidx'
SCRIPTS = ('mermaid.js', 'diagrams.js')


class Mermaid(Directive):
    """A block of Mermaid."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the block as the library finds it in a page."""
        return [nodes.raw('', f'<pre class="mermaid">{escape(chr(10).join(self.content))}</pre>', format='html')]


def setup(app) -> dict[str, bool]:
    """Register the extension.

    Args:
        app: Sphinx.

    Raises:
        ExtensionError: The package that brings the library is not installed.
    """
    carrier = find_spec(CARRIER)
    if carrier is None:
        raise ExtensionError(f'{CARRIER} is not installed: pip install -r requirements/docs.txt')
    app.config.html_static_path.append(str(Path(carrier.origin).parent / 'assets' / SCRIPTS[0]))
    app.add_directive('mermaid', Mermaid)
    app.connect('html-page-context', _load_where_needed)
    return dict(parallel_read_safe=True, parallel_write_safe=True)


def _load_where_needed(app, pagename, templatename, context, doctree) -> None:
    if 'class="mermaid"' in context.get('body', ''):
        for script in SCRIPTS:
            app.add_js_file(script)
