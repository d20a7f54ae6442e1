"""What the tools do, as functions with typed keyword arguments: no parser, no exit code."""
