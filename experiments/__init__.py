"""Train the autoencoder and every ablation of it."""
