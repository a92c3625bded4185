"""The two papers' ideas and nothing else: no files, no pipeline, no command line."""
