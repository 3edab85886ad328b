"""One training on several processes started by torchrun: who takes part, and what they exchange."""
