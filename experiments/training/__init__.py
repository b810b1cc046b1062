"""One run: its builder, loop, losses, critics, optimizers and checkpoints."""
