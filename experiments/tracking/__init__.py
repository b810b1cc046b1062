"""Where a run's numbers go: files in its folder, which are the truth, and from there MLflow."""
