"""The sample rates that recorders have."""

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz
