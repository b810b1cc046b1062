"""Sound: files, streams and the log-mel that the model sees."""
