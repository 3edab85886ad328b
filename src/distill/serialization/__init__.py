"""Reads files that `torch.save` wrote, without trusting them.

`zip_container` checks the container, `restricted_unpickler` the description inside it, and `archive` whether the two
agree.  Nothing is executed, nothing is allocated out of proportion to the size of the file, and tensors are described,
not loaded; the model library reads names and losses in this way.  Only then are tensors loaded with torch.
"""
