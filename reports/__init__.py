"""From the tables of analysed runs to a page: python -m reports.build. Needs no torch."""
