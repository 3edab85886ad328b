"""One epoch of training: step, learning-rate schedule, loss reading, time estimate."""
