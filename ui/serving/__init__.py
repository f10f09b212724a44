"""What makes the server fast. Every module falls back to plain Streamlit where Streamlit changes under it.

- `early_imports`: imports PyTorch, pandas and SciPy in a thread while a browser still fetches Streamlit's files.
- `preload`: names the JavaScript of a page's first elements in its header, and answers for it from memory.
- `sockets`: turns Nagle's algorithm off, which delays small messages by 40 ms.
- `garbage`: keeps imported modules out of garbage collection, which stops the server for 250 ms otherwise.

What each brings was measured with `benchmarks/cold_start.py` and `benchmarks/pages.py` (docs/speed.md).
"""
