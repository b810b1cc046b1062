"""What is measured of a run: one evaluator a file, each with its EVALUATOR."""
