"""The base that every other room uses, and that uses none of them."""
