"""Measure trained runs, clip by clip, into one tidy table a run: python -m analysis RUN_DIR..."""
