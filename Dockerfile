# The relay as an image: built in one stage, run in another that has no compiler, no pip cache
# and no source. Everything is installed from lock files with hashes.
#
#   docker build -t warmup-relay .
#   docker run -v ./relay.yaml:/etc/warmup-relay/relay.yaml:ro -v relay-var:/var/lib/warmup-relay \
#       -p 2525:2525 -p 8025:8025 warmup-relay

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src

COPY requirements.lock requirements-build.lock ./
COPY scripts/multibuffer scripts/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements-build.lock \
 && python -m venv /opt/warmup-relay \
 && /opt/warmup-relay/bin/pip install --require-hashes -r requirements.lock \
 && scripts/multibuffer /opt/build /opt/warmup-relay

COPY pyproject.toml README.md LICENSE ./
COPY relay relay
COPY policies policies
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /opt/warmup-relay/bin/pip install --no-deps --no-index /wheel/*.whl \
 && /opt/warmup-relay/bin/pip uninstall --yes pip \
 && /opt/warmup-relay/bin/python -m compileall -q /opt/warmup-relay


FROM python:3.12-slim
LABEL org.opencontainers.image.title="warmup-relay" \
      org.opencontainers.image.description="An SMTP relay that makes it impossible to ruin a new sending domain" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --system --gid 2525 relay \
 && useradd --system --uid 2525 --gid relay --home-dir /var/lib/warmup-relay --shell /usr/sbin/nologin relay \
 && install -d -o relay -g relay -m 0750 /var/lib/warmup-relay

COPY --from=build /opt/warmup-relay /opt/warmup-relay

ENV PATH=/opt/warmup-relay/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 2525:2525
WORKDIR /var/lib/warmup-relay
VOLUME /var/lib/warmup-relay
EXPOSE 2525 8025

# /readyz answers 503 while the store is away, or every upstream, and may take 7 s to find out;
# `web:` of the config must listen on port 8025. An error status raises, and the check fails.
HEALTHCHECK --interval=10s --timeout=9s --start-period=15s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8025/readyz', timeout=8)"]

# The relay ends its own embedded store and reaps it, so no init process is needed; SIGTERM
# drains what is under way (give it --stop-timeout 75).
STOPSIGNAL SIGTERM
ENTRYPOINT ["warmup-relay"]
CMD ["serve", "--config", "/etc/warmup-relay/relay.yaml"]
