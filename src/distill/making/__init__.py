"""Making sound with a finished model, so that every sound can be made again.

`sounds` makes new sounds, and sends sounds of any length through a model (`transform`); each comes with a `recipe`
that says how it was made, goes into the file's own metadata and into the `history` of what was made.  Only `sounds` and
`transform` import torch.
"""
