# docker build -t poolscope . && docker run -p 8501:8501 -v poolscope-runs:/app/runs poolscope
FROM python:3.12-slim

# Further options for pip. By default the image contains PyTorch's CUDA builds (5 GB), for `docker run --gpus all`. With
# `--build-arg PIP_OPTIONS="--extra-index-url INDEX"` and the CPU index from PyTorch's installation page it has a fifth of the
# size: pip prefers such an index's build of the same version, since 2.9.0+cpu counts as newer than 2.9.0.
ARG PIP_OPTIONS=""

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir $PIP_OPTIONS -r requirements.txt

RUN useradd --create-home --uid 1000 poolscope && mkdir runs && chown 1000:1000 . runs
COPY --chown=1000:1000 . .
USER 1000

# The dataset is unpacked once, here, instead of in every container.
RUN python -c "from pathlib import Path; from gpcore.data.datasets import load_dataset; load_dataset('fashion-mnist', Path('data'))"

VOLUME /app/runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
