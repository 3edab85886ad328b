"""Reading what `torch.save` wrote, without trusting it.

`zip_container` checks the container, `restricted_unpickler` its description, `reading` whether the two agree.  Nothing
is executed, nothing is allocated that is out of proportion to the size of the file, and tensors are described, not
loaded: the library of models reads names and losses in this way, and `archive` loads no tensor that was not checked.
"""
