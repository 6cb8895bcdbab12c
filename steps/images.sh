#!/usr/bin/env bash
# Build the four step images, push them, and print the `images` of a Platform spec, each pinned by its digest:
#
#   steps/images.sh registry.example.com/hubc [options of `buildah build`]
#
# Needs buildah, logged in to the registry. For a registry without TLS: PUSH_OPTIONS=--tls-verify=false
set -euo pipefail
cd "$(dirname "$0")/.."

registry=${1:?usage: steps/images.sh REGISTRY/PATH [options of buildah build]}
shift
revision=$(git rev-parse HEAD)
digests=$(mktemp -d)
trap 'rm -r "$digests"' EXIT

for target in generate train evaluate publish; do
    image="$registry/$target"
    buildah build --layers --file steps/Containerfile --target "$target" --build-arg "REVISION=$revision" \
        --tag "$image:$revision" "$@" . >&2
    # shellcheck disable=SC2086 # several options may be meant
    buildah push ${PUSH_OPTIONS:-} --digestfile "$digests/$target" "$image:$revision" "docker://$image:$revision" >&2
done

echo "images:"
for target in generate train evaluate publish; do
    echo "  $target: $registry/$target@$(cat "$digests/$target")"
done
