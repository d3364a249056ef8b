#!/usr/bin/env bash
# Release build of everything; leaves the command at bin/policystreams.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

eng/bootstrap.sh
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build PolicyStreams.sln -c Release --no-restore --nologo -v quiet "$@" >&2

# Compiled ahead of time where the package source has the compiler for it; the same program without, only slower to start.
rm -rf bin/app
dotnet publish cli/policystreams.csproj -c Release --no-restore --nologo -v quiet -o bin/app >&2

# The launcher replaces itself: the process that a supervisor signals and measures is the program.
cat >bin/policystreams.new <<'LAUNCHER'
#!/usr/bin/env bash
set -euo pipefail
app=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/app" && pwd)
command -v dotnet >/dev/null || [ -n "${DOTNET_ROOT:-}" ] || { echo "policystreams: the .NET 10 runtime is needed: put dotnet on PATH, or set DOTNET_ROOT" >&2; exit 2; }
if [ -z "${DOTNET_ROOT:-}" ]; then
  root=$(dirname "$(readlink -f "$(command -v dotnet)")")
  [ -d "$root/shared" ] && export DOTNET_ROOT=$root
fi
[ -n "${DOTNET_ROOT:-}" ] && [ -x "$app/policystreams" ] && exec "$app/policystreams" "$@"
exec dotnet "$app/policystreams.dll" "$@"
LAUNCHER
chmod +x bin/policystreams.new
mv bin/policystreams.new bin/policystreams
