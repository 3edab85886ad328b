"""Reads files that `torch.save` wrote, without trusting them.

`archive` checks the container, and whether it fits the description inside it; `restricted_unpickler` checks that one.
Nothing is executed, nothing is allocated out of proportion to the size of the file, and tensors are described, not
loaded; the model library reads names and losses in this way.  Only then are tensors loaded with torch.
"""
