"""The protocol of a fair comparison: arms, one grid for all of them, tuning on validation, paired seeds, intervals."""
