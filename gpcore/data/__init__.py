"""Images as tensors: datasets and folders of pictures."""
