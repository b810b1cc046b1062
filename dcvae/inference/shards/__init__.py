"""A corpus through a codec's encoder, into shards: planned, by several workers, resumable."""
