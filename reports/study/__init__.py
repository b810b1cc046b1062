"""A study as the report reads it: its runs, their statistics, the claims and what they found."""
