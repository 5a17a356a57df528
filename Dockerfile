# The service and its stations: no torch. Build: docker build -t steelsight .
# Nodes of a Ray cluster: docker build --build-arg EXTRAS=serve,cluster -t steelsight:cluster .
FROM python:3.12-slim AS build
ARG EXTRAS=serve
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/steelsight \
    && /opt/steelsight/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/steelsight --create-home steelsight
COPY --from=build /opt/steelsight /opt/steelsight
ENV PATH=/opt/steelsight/bin:$PATH PYTHONUNBUFFERED=1 STEELSIGHT_CACHE=/tmp/steelsight
USER 10001:10001
WORKDIR /var/lib/steelsight
VOLUME /var/lib/steelsight
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
ENTRYPOINT ["steelsight"]
CMD ["serve", "--host", "0.0.0.0"]
