"""The code behind ``tools/``."""
