"""Clips and their manifests, and what of them a model was trained on."""
