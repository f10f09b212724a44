# docker build -t poolscope . && docker run --read-only --tmpfs /tmp --memory 3g -p 8501:8501 poolscope
# It runs in demo mode; docs/deploy.md says how to train in it, and how to build it without CUDA.
FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea

# The lock file's packages are checked by their hashes. Another index has other builds: name requirements.txt for it.
ARG REQUIREMENTS=requirements.lock
ARG PIP_OPTIONS=""

WORKDIR /app
COPY requirements.txt requirements.lock ./
RUN pip install --no-cache-dir $PIP_OPTIONS -r $REQUIREMENTS

COPY . .
# The dataset is unpacked and the code compiled once, here, since nothing of it can be written in a container. Only runs can.
RUN python -c "from pathlib import Path; from gpcore.data.datasets import load_dataset; load_dataset('fashion-mnist', Path('data'))" \
    && python -m compileall -q . && useradd --uid 1000 --home-dir /tmp poolscope && install -d -o 1000 -g 1000 runs
USER 1000
ENV POOLSCOPE_MODE=demo HOME=/tmp PYTHONDONTWRITEBYTECODE=1

VOLUME /app/runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
