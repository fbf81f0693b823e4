# vireod in a container: podman run -p 5300:5300/udp -p 5300:5300/tcp vireo [vireod's arguments]

ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY script/setup script/setup
RUN script/setup build
COPY . .
RUN cmake --preset release -DVIREO_TESTS=OFF -DVIREO_EXAMPLES=OFF \
    && cmake --build --preset release \
    && cmake --install build/release --prefix /out/usr/local --component programs --strip
# The packages of the libraries that the programs need; what these are called changes between Debian's releases.
RUN objdump -p /out/usr/local/bin/vireo /out/usr/local/sbin/vireod \
    | awk '$1 == "NEEDED" { print "*/" $2 }' | sort -u \
    | xargs dpkg-query --search | cut -d: -f1 | sort -u > /out/packages

FROM ${BASE}
RUN useradd --system --uid 65532 --no-create-home --shell /usr/sbin/nologin vireo
COPY --from=build /out/packages /tmp/packages
RUN apt-get update \
    && xargs apt-get install --yes --no-install-recommends < /tmp/packages \
    && rm -rf /var/lib/apt/lists/* /tmp/packages
COPY --from=build /out/usr/local /usr/local
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
EXPOSE 5300/udp 5300/tcp
ENTRYPOINT ["vireod"]
CMD ["--listen", "dns://0.0.0.0:5300"]
