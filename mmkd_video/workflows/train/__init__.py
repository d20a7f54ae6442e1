"""Training: what it needs beforehand, one run in a folder of its own, and what it leaves."""
