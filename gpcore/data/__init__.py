"""Images as tensors: datasets, folders of pictures, photographs and their preparation."""
