"""From a teacher to a small file, stage by stage."""
