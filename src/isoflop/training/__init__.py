"""The built-in trainer: small decoders on real text, bit-reproducible, one process a run (extra ``train``)."""
