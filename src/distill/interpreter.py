"""How threads share the interpreter."""

import sys

#: Longest time that a thread holds the interpreter lock while another one waits for it.
SWITCH_SECONDS = 0.001


def hand_over_quickly() -> None:
    """Let threads hand the interpreter lock over after a millisecond at most.

    For who must not be late while the training works in the same process.  A block of sound, or a frame of the window,
    asks for the lock several times; Python's own 5 ms each, and as much again for every further thread in the queue,
    add up to a dropout at the start of a sound, when the device holds little of it, and to a stutter of the window.
    """
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
