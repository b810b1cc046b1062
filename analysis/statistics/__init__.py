"""Verdicts on claims: the model of a difference, contrasts, verdicts, power and repeated looks.

Computed once a study, and read by the page, the paper's tables, MLflow and the model card alike.
"""
