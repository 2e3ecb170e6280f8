# After the files have come: deb "configure [VERSION]" or "abort-...", rpm the
# number of installed versions.
set -e
case $1 in
abort-*) exit 0 ;;
esac
first_file
reload_systemd
settle
