"""What Sphinx reads: the extensions, the looks, and how docstrings are shown."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

project = 'mmkd_video'
project_copyright = 'the authors of mmkd_video; Apache-2.0'
release = re.search(r"'(.+)'", (ROOT / 'mmkd_video' / 'core' / 'version.py').read_text())[1]
sys.path.insert(0, str(ROOT))
extensions = ['dev.site.diagrams', 'myst_parser']

myst_heading_anchors = 6
myst_fence_as_directive = ['mermaid']
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = 'furo'
html_title = f'{project} {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_copy_source = False
