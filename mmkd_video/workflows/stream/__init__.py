"""Exported models on videos, one or a folder of them."""
