"""A small flow-matching model of the latents: how easily they are modelled."""
