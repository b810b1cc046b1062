"""The autoencoder, its critics and losses, and the formats of its weights."""
