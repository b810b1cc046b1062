"""What an analysis keeps on disk while it goes on and for the next one."""
