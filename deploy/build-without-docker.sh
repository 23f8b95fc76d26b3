#!/usr/bin/env bash
# Builds the image on a machine without a container engine and runs it once: buildah with chroot isolation, on a Debian base made by
# debootstrap that stands in for python:3.11-slim. For trying the Dockerfile, not for shipping. Needs root and Debian's packages
# buildah and debootstrap; a package index or proxy of pip's configuration is passed on.
#
#   deploy/build-without-docker.sh [tag]
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:-lens:tried}
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT

debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$base" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
ln -s python3 "$base/usr/bin/python"
rm "$base"/usr/lib/python3*/EXTERNALLY-MANAGED
# What this machine trusts and where it fetches packages from, so that a mirror works inside, too.
cp /etc/ssl/certs/ca-certificates.crt "$base/etc/ssl/certs/ca-certificates.crt"
python3 -m pip config list | sed -n "s/^[a-z:]*\.index-url='\(.*\)'$/[global]\nindex-url = \1/p" > "$base/etc/pip.conf"
container=$(buildah from scratch)
buildah add -q "$container" "$base" /
buildah config --env UV_SYSTEM_CERTS=true --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$container"
index=$(sed -n 's/^index-url = //p' "$base/etc/pip.conf")
test -z "$index" || buildah config --env UV_DEFAULT_INDEX="$index" "$container"
buildah commit -q "$container" docker.io/library/python:3.11-slim
buildah rm "$container" > /dev/null

buildah build --format docker --pull=never -t "$tag" .

# The image as it would run: not as root, refusing to start without its settings, answering with them.
container=$(buildah from --pull=never "$tag")
as_run() { buildah run --user 10001 "$container" -- "$@"; }
as_run python -c 'import os; assert os.getuid() == 10001'
if as_run python manage.py check 2> /dev/null; then echo "started without settings" >&2; exit 1; fi
as_run env DATABASE_URL=postgresql://none/none REDIS_URL=redis://none DJANGO_SECRET_KEY=none-of-your-business-but-fifty-characters-long-and-more \
  LENS_ALLOWED_HOSTS=lens.example.com python manage.py check --deploy
buildah rm "$container" > /dev/null
buildah images "$tag"
