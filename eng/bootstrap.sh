#!/usr/bin/env bash
# Makes the NuGet packages restorable. An ordinary restore comes first; only where the package source lacks librdkafka.redist
# is the same library built from the npm package that carries its sources, and packed into eng/packages, which nuget.config lists.
# The built package is kept in a cache outside the work tree, so it is built once a machine.
# Where the source lacks the compiler ahead of time, programs are published without it: eng/packages/no-readytorun says so, and `make clean` forgets it.
#   POLICYSTREAMS_CACHE    where; default ${XDG_CACHE_HOME:-$HOME/.cache}/policystreams
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${POLICYSTREAMS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/policystreams}
version=$(sed -n 's/.*Include="librdkafka.redist" Version="\([^"]*\)".*/\1/p' "$root/Directory.Packages.props")
npm_version=1.10.1                     # @confluentinc/kafka-javascript: bundles the librdkafka of the version above
name=librdkafka.redist.$version.nupkg
local_feed=$root/eng/packages
log=$(mktemp)
trap 'rm -f "$log"' EXIT

say() { echo "bootstrap: $*" >&2; }
die() { say "$*"; exit 1; }

restore() { (cd "$root" && dotnet restore PolicyStreams.sln --nologo -v quiet >"$log" 2>&1); }

# Installs the Debian packages named where that is this script's to do (root, or CI); else prints the one line to run.
install_debian() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    if [ "${CI:-}" = true ] && command -v sudo >/dev/null; then sudo=sudo
    else die "these system packages are needed; run this once, then try again:
    sudo apt-get install -y ${missing[*]}"; fi
  fi
  say "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >"$log" 2>&1 && return 0
  $sudo apt-get update -qq >"$log" 2>&1 || true
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${missing[@]}" >"$log" 2>&1 || { cat "$log" >&2; die "could not install ${missing[*]}"; }
}

build_librdkafka() {
  command -v npm >/dev/null || die "the package source lacks librdkafka.redist $version, and npm, which would bring its sources, is not installed"
  command -v cc >/dev/null || die "the package source lacks librdkafka.redist $version, and there is no C compiler to build it with"
  install_debian g++ make python3 zip libssl-dev libcurl4-openssl-dev libzstd-dev liblz4-dev libsasl2-dev zlib1g-dev
  local scratch; scratch=$(mktemp -d)
  say "the package source lacks librdkafka.redist $version: building it from the npm package that carries its sources (a few minutes, once)"
  (cd "$scratch" && echo '{"private":true}' >package.json &&
    CKJS_LINKING=dynamic npm install "@confluentinc/kafka-javascript@$npm_version" --foreground-scripts --no-audit --no-fund >"$log" 2>&1) ||
    { tail -30 "$log" >&2; die "librdkafka did not build"; }
  local built=$scratch/node_modules/@confluentinc/kafka-javascript/build/deps/librdkafka.so.1
  [ -f "$built" ] || die "librdkafka was built, but $built is not there"
  local runtime; case $(uname -m) in x86_64) runtime=linux-x64;; aarch64) runtime=linux-arm64;; *) die "no package layout for $(uname -m)";; esac
  mkdir -p "$scratch/pack/runtimes/$runtime/native" "$cache"
  strip -o "$scratch/pack/runtimes/$runtime/native/librdkafka.so" "$built"
  cat >"$scratch/pack/librdkafka.redist.nuspec" <<NUSPEC
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2010/07/nuspec.xsd">
  <metadata>
    <id>librdkafka.redist</id>
    <version>$version</version>
    <authors>librdkafka contributors</authors>
    <license type="expression">BSD-2-Clause</license>
    <description>librdkafka $version, built on this machine because the package source lacks it.</description>
  </metadata>
</package>
NUSPEC
  cat >"$scratch/pack/[Content_Types].xml" <<TYPES
<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="nuspec" ContentType="application/octet"/><Default Extension="so" ContentType="application/octet"/></Types>
TYPES
  (cd "$scratch/pack" && zip -q -r "$scratch/$name" .)
  mv "$scratch/$name" "$cache/$name"
  rm -rf "$scratch"
}

[ -f "$cache/$name" ] && { mkdir -p "$local_feed"; cmp -s "$cache/$name" "$local_feed/$name" || cp "$cache/$name" "$local_feed/$name"; }
mkdir -p "$local_feed"
for _ in 1 2 3; do
  restore && exit 0
  if grep -q 'librdkafka.redist' "$log" && [ ! -f "$local_feed/$name" ]; then
    build_librdkafka
    cp "$cache/$name" "$local_feed/$name"
  elif grep -Eqi 'Microsoft\.(NETCore\.App\.Crossgen2|NETCore\.App\.Runtime|AspNetCore\.App\.Runtime)' "$log" && [ ! -e "$local_feed/no-readytorun" ]; then
    say "the package source lacks the compiler ahead of time: the command is published without it, and starts more slowly"
    touch "$local_feed/no-readytorun"
  else break; fi
done
cat "$log" >&2
die "restore failed"
