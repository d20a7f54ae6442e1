"""One small file per break of today's stack; loaded before anything else of the package."""
