"""A small generative model of latents: what it learns says how easy a latent space is to model."""
