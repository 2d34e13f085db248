# The command line in a container, without a network at run time. Research use only, not a medical device.
#   docker build -t radiomics-persona .
#   docker run --rm --network none -v "$PWD:/data" radiomics-persona analyze scan.nii.gz --box 28,-20,30,20,20,20 -o results
FROM python:3.12-slim
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# the CPU build of PyTorch; --build-arg TORCH_INDEX= takes PyPI's, which brings CUDA: some 5 GB
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY . /src
WORKDIR /src
RUN sh container/install.sh /opt/radiomics-persona && rm -rf /src/build
ENV PATH=/opt/radiomics-persona/bin:$PATH
RUN sh container/check.sh
RUN useradd --create-home user && mkdir /data && chown user /data
USER user
WORKDIR /data
ENTRYPOINT ["radiomics-persona"]
CMD ["--help"]
