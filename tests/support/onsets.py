"""Tells when sounds begin: reads float32 mono samples from standard input, prints the time of each onset.

Run as a process of its own, so that the program that is measured does not hold up the ear.  Prints ``READY`` at the
first samples, then a line for each onset: the time on the system's monotonic clock at which it was there at the latest.
"""

import os
import time

import numpy as np

RATE = 48_000
#: Level of an onset, and the silence before the next one.
LEVEL, SILENCE_FRAMES = 0.05, RATE // 100


def main() -> None:
    """Read until the end."""
    last, rest, is_ready = -(10**9), b"", False
    while chunk := os.read(0, 65_536):
        now = time.monotonic()
        data = rest + chunk
        whole = len(data) // 4 * 4
        rest, audio = data[whole:], np.abs(np.frombuffer(data[:whole], "<f4"))
        if not is_ready:
            is_ready = True
            print("READY", flush=True)
        for at in np.flatnonzero(audio > LEVEL):
            if at - last >= SILENCE_FRAMES:
                print(f"{now - (len(audio) - at) / RATE:.6f}", flush=True)
            last = int(at)
        last -= len(audio)


if __name__ == "__main__":
    main()
