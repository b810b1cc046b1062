"""Many files through a codec: batched, resumable, and no failure ends the rest."""
