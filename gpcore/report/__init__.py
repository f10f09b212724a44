"""The report: everything that *Compare* shows, in one HTML file that opens without a network."""
