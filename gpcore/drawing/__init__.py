"""The drawing kit: sheets, rows and charts, drawn by a browser or by Pillow, with all their JavaScript."""
