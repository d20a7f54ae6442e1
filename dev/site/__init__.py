"""The documentation as a site, which Sphinx builds from the pages in ``docs/``, the README and the docstrings."""
