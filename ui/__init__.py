"""The pieces of Streamlit that pages are built from: a folder for each page, and what pages share."""
