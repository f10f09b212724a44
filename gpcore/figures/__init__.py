"""Arrays in, Plotly figures out; nothing here knows Streamlit, and every figure can be drawn in a notebook."""
