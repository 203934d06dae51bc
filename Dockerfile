# Loopy in a container: built with Swift's image, run in Debian's with nothing but the folder that
# `make install` makes (docs/install.md).
#
#   docker build -t loopy .
#   docker run --rm -v ~/videos:/videos:ro -v ~/dataset:/dataset loopy \
#       run /opt/loopy/Pipelines/curate.yaml --input /videos --dataset /dataset
#
# Both images are Debian 12, so that the C library is the same.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends make python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*
# The CPU build of libtorch. Empty, PyPI's own is taken, which is CUDA's and ten times the size.
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ENV PIP_EXTRA_INDEX_URL=$PIP_EXTRA_INDEX_URL
WORKDIR /loopy
# The downloads are a layer of their own, made anew only when the set-up changes.
COPY Scripts/setup.sh Scripts/
RUN Scripts/setup.sh install
COPY . .
RUN make install PREFIX=/opt/loopy

FROM debian:bookworm-slim
COPY --from=build /opt/loopy /opt/loopy
ENV PATH=/opt/loopy/bin:$PATH
ENTRYPOINT ["loopy"]
CMD ["--help"]
