"""From waves to latents and back: the codec, files, MLflow."""
