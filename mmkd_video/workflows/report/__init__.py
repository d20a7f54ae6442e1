"""What trainings, comparisons and compressions have left behind, as one page that needs nothing else."""
