#!/usr/bin/env bash
# Make a kind cluster `hubc` for the flavour `kind`, with a registry at localhost:5001 that its nodes pull step images from.
# Needs docker, kind and kubectl. `kind delete cluster --name hubc` and `docker rm --force hubc-registry` undo it.
set -euo pipefail

# The node image that kind 0.30 was released with.
node=kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a

docker inspect hubc-registry > /dev/null 2>&1 \
    || docker run --detach --restart always --publish 127.0.0.1:5001:5000 --name hubc-registry docker.io/library/registry:3.0.0

kind create cluster --name hubc --image "$node" --wait 5m

# In a node, localhost is the node: containerd asks the registry's container instead.
docker network connect kind hubc-registry 2> /dev/null || true
for each in $(kind get nodes --name hubc); do
    docker exec "$each" mkdir -p /etc/containerd/certs.d/localhost:5001
    echo '[host."http://hubc-registry:5000"]' | docker exec -i "$each" cp /dev/stdin /etc/containerd/certs.d/localhost:5001/hosts.toml
done
