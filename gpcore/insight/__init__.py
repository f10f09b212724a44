"""One trained network and its images: its maps, its evidence, its errors."""
