"""Codecs of the libraries transformers and diffusers, by their own classes."""
