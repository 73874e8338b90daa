# What tools/quickstart and tools/test share; they source it. REQUIRES: $root, the repository.
#
#   step TEXT                       says on stderr what happens next
#   install_missing PACKAGE...      asks apt for those that are not installed, if any
#   configure_once PRESET -DX=Y...  runs CMake, unless the build folder is configured so already
#   build PRESET TARGET             runs Ninja

step() { echo "== $*" >&2; }

install_missing() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "Please install these packages as root, then run this again:" >&2
      echo "  apt-get install ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  step "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2  # what apt says is of interest only when it fails
    echo "The packages could not be installed; the full log is $log" >&2
    exit 1
  fi
  rm -f "$log"
}

# What the program is built with.
build_packages=(cmake ninja-build g++ pkg-config libeigen3-dev libpcre2-dev libutf8proc-dev
  libedit-dev nlohmann-json3-dev libcli11-dev libcpp-httplib-dev)
# What the tests and benchmarks need besides.
test_packages=(libgtest-dev libbenchmark-dev python3)

configure_once() {
  local preset=$1 build=$root/build/$1 setting
  shift
  if [ -f "$build/build.ninja" ]; then
    local missing=0
    for setting in "$@"; do
      # What is configured may hold more than is asked for, but not less.
      case $setting in
        *=ON) grep -q "^${setting:2:-3}:BOOL=ON$" "$build/CMakeCache.txt" || missing=1 ;;
      esac
    done
    [ $missing -eq 1 ] || return 0
  fi
  step "configuring ($preset)"
  (cd "$root" && cmake --preset "$preset" "$@" >/dev/null)
}

build() {
  # Ninja's progress, less what it says when nothing is to do.
  ninja -C "$root/build/$1" "$2" |
    { grep --line-buffered -v -e 'Entering directory' -e 'globbed dir' -e 'no work to do' || true; } >&2
}
