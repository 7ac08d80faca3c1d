#!/bin/sh
# Builds Kamailio's http_async_client module for the Kamailio that is installed here.
#
# Debian's kamailio packages leave this one module out, although their source has it. This takes
# Debian's own source package of exactly the installed version and compiles that single module.
# Packages it needs: kamailio dpkg-dev gcc libc6-dev make pkg-config flex bison libevent-dev libcurl4-openssl-dev
#
#   usage: http-async-client.sh <folder>     (made when missing; the module ends up in it)
#
# Nothing outside <folder> changes: the source entry is derived from the apt sources this machine
# already has and lives in a private list, so no root is needed. A second run does nothing until
# Kamailio is upgraded. Start Kamailio with  -L <folder>:<system module folder>.
set -eu

say() { printf 'http_async_client: %s\n' "$*"; }
die() { printf 'http_async_client: %s\n' "$*" >&2; exit 1; }

[ $# -eq 1 ] || die "usage: $0 <folder for the module>"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
module=$folder/http_async_client.so
stamp=$folder/http_async_client.version

version=$(dpkg-query -W -f '${Version}' kamailio 2>/dev/null) || die "package kamailio is not installed"
source_version=$(dpkg-query -W -f '${source:Version}' kamailio)
arch=$(dpkg --print-architecture)

for system in /usr/lib/*/kamailio/modules/http_async_client.so; do
  [ -e "$system" ] || continue
  cp -f "$system" "$module.$$" && mv -f "$module.$$" "$module"
  printf '%s %s\n' "$version" "$arch" > "$stamp"
  say "the installed Kamailio brings it; copied to $module"
  exit 0
done

if [ -e "$module" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version $arch" ]; then
  say "already built for Kamailio $version"
  exit 0
fi

for tool in gcc make flex bison dpkg-source curl-config; do
  command -v "$tool" >/dev/null || die "$tool is missing; needed packages: dpkg-dev gcc libc6-dev make pkg-config flex bison libevent-dev libcurl4-openssl-dev"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-module.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/build"

# apt with its own lists and caches; proxy, keys and the package database stay the machine's.
private_apt() {
  apt-get -qq \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
    -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 -o Acquire::Languages=none "$@"
}

# Every repository this machine takes main packages from, once more as a source entry. `indextargets`
# reads both the one-line and the deb822 format; the origin is only known after an apt-get update.
apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(ORIGIN)' 'Created-By: Packages' |
  sort -u | while IFS='|' read -r uri release component key origin; do
  [ "$component" = main ] || continue
  case "$origin" in Debian | Debian-Security | '' | '$(ORIGIN)') ;; *) continue ;; esac
  case "$key" in '' | '$(SIGNED_BY)') option= ;; *) option="[signed-by=$key] " ;; esac
  printf 'deb-src %s%s %s %s\n' "$option" "$uri" "$release" "$component"
done > "$work/sources.list"
[ -s "$work/sources.list" ] || die "this machine's apt sources name no Debian repository"

# Mirrors time out now and then: apt retries a file, this retries the step.
try() {
  attempt=1
  until "$@" > "$work/log" 2>&1; do
    [ $attempt -lt 4 ] || { tail -n 20 "$work/log" >&2; return 1; }
    say "attempt $attempt failed ($(tail -n 1 "$work/log")); trying again"
    sleep $((attempt * 2))
    attempt=$((attempt + 1))
  done
}
fetch_source() { (cd "$work/build" && private_apt --download-only source "kamailio=$source_version"); }

say "reading the source lists of the machine's own repositories"
try private_apt update -o APT::Update::Error-Mode=any || say "some lists could not be read; going on with the others"
say "fetching the source of Kamailio $source_version (about 10 MB)"
try fetch_source || die "the source of Kamailio $source_version could not be fetched"
# apt has checked the signatures; dpkg-source would want the uploader's key.
(cd "$work/build" && dpkg-source --no-check -x ./*.dsc tree) > "$work/log" 2>&1 || { tail "$work/log" >&2; die "unpacking failed"; }

say "compiling the module"
(cd "$work/build/tree" && make -s cfg && make -s -C src/modules/http_async_client) > "$work/log" 2>&1 ||
  { tail -n 30 "$work/log" >&2; die "the module did not compile"; }
cp "$work/build/tree/src/modules/http_async_client/http_async_client.so" "$module.$$"
mv -f "$module.$$" "$module"
printf '%s %s\n' "$version" "$arch" > "$stamp"
say "built $module for Kamailio $version"
