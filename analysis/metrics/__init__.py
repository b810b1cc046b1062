"""Metrics as pure functions of arrays, each with its formula or source. None imports torch."""
