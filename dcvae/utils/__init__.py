"""What every package here rests on: files, locks, errors, threads. No torch but in threads."""
