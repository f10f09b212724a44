"""What several pages share of Streamlit."""
