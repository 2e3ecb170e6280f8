# Before the files come: deb "install|upgrade [VERSION]" or "abort-upgrade
# VERSION", rpm the number of installed versions.
set -e
case $1 in
abort-upgrade) forget_former ;;
*)
	make_user
	keep_former || say 'lqproxy: the former version cannot be kept; there is no way back by --rollback' \
		'lqproxy：无法保留旧版本，将不能用 --rollback 回退' >&2
	;;
esac
