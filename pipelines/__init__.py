"""The stages: thin programs that read parameters and files, call `method`, and write files."""
