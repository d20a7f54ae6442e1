"""The work of the tools, as functions with typed keyword arguments: no parser, no exit code."""
