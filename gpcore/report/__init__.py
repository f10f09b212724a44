"""The report: everything that *Compare* shows, as one HTML file that opens without a network."""
