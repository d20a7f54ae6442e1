"""Answers of a teacher to a whole training set, kept in files."""
