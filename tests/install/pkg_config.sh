#!/bin/sh
# pkg_config.sh SOURCE PROGRAM LIBRARY_DIR COMPILER: builds SOURCE as the pkg-config file in LIBRARY_DIR says, and runs it.
set -eu
source=$1
program=$2
library_dir=$3
compiler=$4
export PKG_CONFIG_PATH="$library_dir/pkgconfig"

# shellcheck disable=SC2046 # options, without blanks in them
"$compiler" -Wall -Wextra -Werror $(pkg-config --cflags libvireo) -o "$program" "$source" $(pkg-config --libs libvireo)
said=$(LD_LIBRARY_PATH=$library_dir "$program")
[ "$said" = "www.example.com. 127.0.0.1" ] || {
    echo "it said \"$said\""
    exit 1
}
