# After the files have gone: deb "remove", "purge", "upgrade VERSION" and others,
# rpm the number of versions that remain.
set -e
case $1 in
abort-install | abort-upgrade) forget_former ;;
remove | purge | 0)
	rm -rf $prefix/lib/lqproxy /run/lqproxy-firewall
	[ "$1" != purge ] || purge
	[ ! -d $rules ] || rmdir $rules 2>/dev/null || : # not while it names rules
	reload_systemd
	;;
esac
