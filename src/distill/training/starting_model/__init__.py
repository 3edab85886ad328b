"""What a run starts from where it does not start from nothing: a model file, or a checkpoint of another run."""
