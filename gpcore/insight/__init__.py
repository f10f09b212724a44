"""One trained network and its images: what it sees, and why it answers as it does."""
