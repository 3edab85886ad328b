#!/usr/bin/env bash
# Signs Distill.app, packs it into a disk image and has that notarised: make_dmg.sh APP TARGET
#
#   DISTILL_CODESIGN_IDENTITY  name of a "Developer ID Application" certificate in the keychain; without it the
#                              application gets an ad-hoc signature, and users must allow it by hand
#   DISTILL_NOTARY_PROFILE     name under which "xcrun notarytool store-credentials" keeps the account
set -euo pipefail

app=$1
target=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
identity=${DISTILL_CODESIGN_IDENTITY:--}

options=(--force --sign "$identity")
if [[ $identity != "-" ]]; then
    options+=(--options runtime --timestamp)
fi
# From the inside out: a signature covers what lies below it.
find "$app/Contents" -type f \( -name '*.so' -o -name '*.dylib' -o -name 'torch_shm_manager' \) -print0 |
    xargs -0 codesign "${options[@]}"
# A framework is signed as one piece, after the libraries in it; the deepest ones come first.
find "$app/Contents" -type d -name '*.framework' -print0 | sort -rz | xargs -0 -I {} codesign "${options[@]}" {}
for program in "$app/Contents/MacOS/"*; do
    [[ -L $program ]] || codesign "${options[@]}" --entitlements "$here/entitlements.plist" "$program"
done
codesign "${options[@]}" --entitlements "$here/entitlements.plist" "$app"
codesign --verify --deep --strict "$app"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp -R "$app" "$stage/"
ln -s /Applications "$stage/Applications"
rm -f "$target"
hdiutil create -quiet -volname Distill -fs HFS+ -format UDZO -srcfolder "$stage" "$target"

if [[ $identity != "-" ]]; then
    codesign --force --sign "$identity" --timestamp "$target"
fi
if [[ -n ${DISTILL_NOTARY_PROFILE:-} ]]; then
    xcrun notarytool submit "$target" --keychain-profile "$DISTILL_NOTARY_PROFILE" --wait
    xcrun stapler staple "$target"
fi
