"""Smaller students for a budget of operations."""
