"""What a file that `torch.save` wrote holds, read without torch and without trusting it.

`directory` checks the container, `pickles` what is said in it, `reading` whether the two agree.  Nothing is executed,
nothing is allocated that is out of proportion to the file's own size, and tensors are described, not loaded: the
library of models reads names and losses in this way, and `distill.archive` loads no tensor that was not checked here.
"""
