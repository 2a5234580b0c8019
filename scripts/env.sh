#!/usr/bin/env bash
# Runs a command in the environment in which cgo finds FFmpeg 7.1: scripts/env.sh go build ./...
set -eu
environment=$("$(dirname "$0")/ffmpeg.sh")
eval "$environment"
exec "$@"
