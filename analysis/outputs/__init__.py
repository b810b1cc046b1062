"""What an analysis leaves: table, examples, model card, MLflow's copy."""
