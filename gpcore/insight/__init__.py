"""What a trained network sees and why it answers as it does: pure functions over tensors."""
