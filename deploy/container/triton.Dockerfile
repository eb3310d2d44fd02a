# NVIDIA's Triton, with what the hand-written models import.
FROM nvcr.io/nvidia/tritonserver:24.10-py3
# With numpy 2 Triton's Python stub hands over empty tensors. OpenTelemetry sends the routers' spans, if they are traced.
RUN pip install --no-cache-dir "numpy<2" "tokenizers==0.23.3" "prometheus-client==0.26.0" \
    "opentelemetry-sdk==1.27.0" "opentelemetry-exporter-otlp-proto-http==1.27.0"
COPY deploy/container/start_triton.sh /usr/local/bin/start_triton
ENV HOME=/tmp
USER 1000:1000
CMD ["start_triton"]
