"""Studies: a list of runs, from the plan to the finished report. No torch in these modules."""
