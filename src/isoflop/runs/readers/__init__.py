"""One file per source of runs; each has a function from a path (or a frame) to a raw table."""
