"""Speech recognition with Whisper, and where its weights come from."""
