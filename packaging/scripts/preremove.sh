# Before the files go: deb "remove", "upgrade VERSION" and others, rpm the number
# of versions that remain.
set -e
case $1 in
remove | 0)
	stop_all
	remove_rules
	;;
esac
