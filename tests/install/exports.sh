#!/bin/sh
# exports.sh INCLUDE_DIR LIBRARY: the symbols of LIBRARY are the functions that gcc finds declared in the headers, no
# more and no less. gcc reads them in earnest, where the build takes them from the text.
set -eu
include_dir=$1
library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for header in "$include_dir"/vireo/*.h; do
    echo "#include \"$header\""
done >"$work/all.c"
gcc -I"$include_dir" -fsyntax-only -aux-info "$work/prototypes" "$work/all.c"
sed -n "s|^/\* $include_dir/.* extern [^(]*[ *]\(vr_[a-z0-9_]*\) (.*|\1|p" "$work/prototypes" | sort -u >"$work/declared"
nm --dynamic --defined-only --format=posix "$library" | sed -n 's/^\([^ @]*\)@*[^ ]* [BDRT] .*/\1/p' | sort -u >"$work/exported"

[ -s "$work/declared" ]
diff "$work/declared" "$work/exported"
