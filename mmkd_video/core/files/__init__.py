"""Files: written as a whole or not at all, held by one process, read without trust."""
