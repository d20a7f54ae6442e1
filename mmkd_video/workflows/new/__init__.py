"""New distillation configs for a given student and teacher."""
