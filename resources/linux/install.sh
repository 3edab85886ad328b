#!/bin/sh
# Makes the portable Distill known to the desktop of this user, or with --remove makes it unknown again.
# It writes below ~/.local only: links to the programs, the menu entry, the icons and the type of .distill files.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
programs=$HOME/.local/bin
id=org.distill_audio.Distill

refresh() {
    for command in "update-desktop-database $data/applications" "update-mime-database $data/mime" \
        "gtk-update-icon-cache -q -t -f $data/icons/hicolor"; do
        if command -v "${command%% *}" > /dev/null; then $command > /dev/null 2>&1 || true; fi
    done
}

remove() {
    rm -f "$data/applications/$id.desktop" "$data/mime/packages/$id.xml" "$data/metainfo/$id.metainfo.xml"
    for icon in "$data"/icons/hicolor/*/apps/"$id".*; do
        [ ! -e "$icon" ] || rm -f "$icon"
    done
    for name in distill distill-gui; do
        # Only a link that leads into a portable Distill, never another program of that name.
        case $(readlink "$programs/$name" 2> /dev/null || true) in
            "$here/$name") rm -f "$programs/$name" ;;
        esac
    done
}

if [ "${1:-}" = --remove ]; then
    remove
    refresh
    echo "Distill is no longer in the menu. Your runs and models are still in $data/distill."
    exit 0
fi
if [ $# -gt 0 ]; then
    echo "usage: ./install.sh [--remove]" >&2
    exit 2
fi
mkdir -p "$programs" "$data"
for name in distill distill-gui; do
    if [ -e "$programs/$name" ] && [ ! -L "$programs/$name" ]; then
        echo "$programs/$name is another program. Move it away, or start Distill from this folder." >&2
        exit 1
    fi
done
(cd "$here/share" && find . -type f) | while IFS= read -r file; do
    mkdir -p "$data/$(dirname "$file")"
    cp "$here/share/$file" "$data/$file"
done
# The menu is not told the search path of a shell: the entry names the program in full.
entry=$data/applications/$id.desktop
sed -e "s|^Exec=distill-gui|Exec=\"$here/distill-gui\"|" -e "s|^TryExec=.*|TryExec=$here/distill-gui|" \
    "$here/share/applications/$id.desktop" > "$entry"
for name in distill distill-gui; do
    ln -sfn "$here/$name" "$programs/$name"
done
refresh
echo "Distill is in your menu now. The command distill is in $programs."
