# install.sh: lqproxy on hosts where no package may be installed. The result is
# that of the packages; "lqproxy upgrade --rollback" goes back here too.
#
#   ./install.sh [--prefix DIR]               install, or upgrade
#   ./install.sh [--prefix DIR] --uninstall   remove; configuration and logs stay
#   ./install.sh [--prefix DIR] --purge       remove those too
set -eu
umask 022

from=$(cd "$(dirname "$0")" && pwd)
case $from in
*/lib/lqproxy) prefix=${from%/lib/lqproxy} ;; # the copy that an installation left
esac
units=/etc/systemd/system
action=install
undo=   # what to remove if it comes to nothing, one a line, the last first
created=no # whether the user is ours to remove
tag=.lqproxy-new

usage() {
	say 'usage: install.sh [--prefix DIR] [--uninstall | --purge]' \
		'用法：install.sh [--prefix 目录] [--uninstall | --purge]'
}

# stop ENGLISH CHINESE: it goes no further.
stop() {
	say "install.sh: $1" "install.sh：$2" >&2
	exit 1
}

read_arguments() {
	while [ $# -gt 0 ]; do
		case $1 in
		--prefix=*) prefix=${1#*=} ;;
		--prefix)
			[ $# -gt 1 ] || { usage >&2 && exit 2; }
			prefix=$2
			shift
			;;
		--uninstall) action=uninstall ;;
		--purge) action=purge ;;
		-h | --help) usage && exit 0 ;;
		*) usage >&2 && exit 2 ;;
		esac
		shift
	done
	case $prefix in
	/) prefix= ;;
	*[!A-Za-z0-9/._-]*) stop "--prefix may have letters, digits and / . _ - only" '--prefix 只能包含字母、数字和 / . _ -' ;;
	/*) prefix=${prefix%/} ;;
	*) stop '--prefix must begin with /' '--prefix 必须以 / 开头' ;;
	esac
}

# place PATH: where the file that the list calls PATH lies on this host.
place() {
	case $1 in
	/usr/lib/systemd/system/*) printf '%s\n' "$units/${1##*/}" ;;
	/usr/*) printf '%s\n' "$prefix/${1#/usr/}" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

machine() {
	case $(uname -m) in
	x86_64 | amd64) echo amd64 ;;
	aarch64 | arm64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# check_host: everything that can be known to be wrong before anything is done.
check_host() {
	[ "$(id -u)" = 0 ] || stop 'run this as root' '请用 root 执行'
	[ "$(uname -s)" = Linux ] || stop 'this is for Linux' '只支持 Linux'
	[ "$action" = install ] || return 0
	want=$(cat "$from/architecture")
	have=$(machine)
	[ "$want" = "$have" ] ||
		stop "this archive is for $want, and this host is $have: take lqproxy-...-linux-$have.tar.gz, if there is one" \
			"此安装包适用于 $want，本机为 $have：请改用 lqproxy-…-linux-$have.tar.gz（如有提供）"
	check_package
	check_space
}

# check_package: two owners of one file would be one too many.
check_package() {
	if dpkg-query -W -f '${Status}' lqproxy 2>/dev/null | grep -q ' installed$'; then
		stop 'the deb package of lqproxy is installed: upgrade with dpkg -i, or remove it first' \
			'本机已安装 lqproxy 的 deb 包：请用 dpkg -i 升级，或先卸载'
	fi
	if command -v rpm >/dev/null 2>&1 && rpm -q lqproxy >/dev/null 2>&1; then
		stop 'the rpm package of lqproxy is installed: upgrade with rpm -Uvh, or remove it first' \
			'本机已安装 lqproxy 的 rpm 包：请用 rpm -Uvh 升级，或先卸载'
	fi
}

# existing PATH: the nearest folder above PATH that there is.
existing() {
	folder=$1
	until [ -d "$folder" ]; do folder=$(dirname "$folder"); done
	printf '%s\n' "$folder"
}

# check_space: the new files lie beside the old ones for a moment.
check_space() {
	need=$(du -sk "$from/files" | cut -f1)
	folder=$(existing "$prefix/bin")
	free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
	[ "$free" -gt "$((need + 1024))" ] ||
		stop "$folder has $free KiB free, and $((need + 1024)) KiB are needed; nothing was changed" \
			"$folder 剩余空间 $free KiB，需要 $((need + 1024)) KiB；未做任何改动"
}

# undo_all: the host is as it was.
undo_all() {
	code=$?
	trap - EXIT INT TERM
	for path in $undo; do
		if [ -d "$path" ]; then rmdir "$path" 2>/dev/null || :; else rm -f "$path"; fi
	done
	forget_former
	[ ! -d "$prefix/lib/lqproxy" ] || rmdir "$prefix/lib/lqproxy" 2>/dev/null || :
	[ "$created" = no ] || { userdel lqproxy && groupdel lqproxy; } >/dev/null 2>&1 || :
	say 'install.sh: nothing was installed; the host is as it was' \
		'install.sh：安装未完成，本机保持原状' >&2
	exit $code
}

# make_folder PATH: with those above it.
make_folder() {
	[ ! -d "$1" ] || return 0
	make_folder "$(dirname "$1")"
	mkdir "$1"
	undo="$1
$undo"
}

# lay FROM PATH MODE OWNER GROUP: the file, under a name for the time being.
lay() {
	make_folder "$(dirname "$2")"
	undo="$2$tag
$undo"
	cp "$1" "$2$tag"
	case $2 in
	"$units"/*)
		sed "s|/usr/bin/lqproxy|$prefix/bin/lqproxy|" "$1" >"$2$tag"
		;;
	esac
	chown "$4:$5" "$2$tag"
	chmod "$3" "$2$tag"
}

lay_all() {
	while read -r kind mode owner group name; do
		path=$(place "$name")
		case $kind in
		d)
			make_folder "$path"
			chown "$owner:$group" "$path"
			chmod "$mode" "$path"
			;;
		c) [ -e "$path" ] || lay "$from/files$name" "$path" "$mode" "$owner" "$group" ;;
		f) lay "$from/files$name" "$path" "$mode" "$owner" "$group" ;;
		esac
	done <"$from/files.list"
	for name in install.sh files.list architecture; do # for --uninstall
		mode=0644
		[ $name != install.sh ] || mode=0755
		lay "$from/$name" "$prefix/lib/lqproxy/$name" $mode root root
	done
}

# settle_all: all is there; renaming takes no space. The folders that were made
# are noted, for --uninstall.
settle_all() {
	for path in $undo; do
		case $path in
		*$tag) mv -f "$path" "${path%"$tag"}" ;;
		*) printf '%s\n' "$path" >>"$prefix/lib/lqproxy/folders" ;;
		esac
	done
}

relabel() {
	command -v restorecon >/dev/null 2>&1 || return 0
	restorecon -RF "$prefix/bin/lqproxy" "$prefix/lib/lqproxy" "$prefix/share/lqproxy" \
		"$units"/lqproxy* $conf $state $logs >/dev/null 2>&1 || :
}

install() {
	trap undo_all EXIT INT TERM
	getent passwd lqproxy >/dev/null 2>&1 || created=yes
	make_user
	keep_former
	lay_all
	settle_all
	trap - EXIT INT TERM
	first_file
	relabel
	reload_systemd
	settle
	say "Installed: $("$prefix/bin/lqproxy" version)" "已安装：$("$prefix/bin/lqproxy" version)"
}

# uninstall: configuration and logs stay, and folders that we did not make.
uninstall() {
	[ -f "$from/files.list" ] || stop 'files.list is missing beside install.sh' 'install.sh 旁缺少 files.list'
	stop_all
	[ ! -x "$prefix/bin/lqproxy" ] || remove_rules
	while read -r kind _ _ _ name; do
		[ "$kind" != f ] || rm -f "$(place "$name")"
	done <"$from/files.list"
	folders=$(sort -ru "$prefix/lib/lqproxy/folders" 2>/dev/null || :) # the inner ones first
	rm -rf "$prefix/lib/lqproxy" /run/lqproxy-firewall
	[ "$action" != purge ] || purge
	for folder in $folders; do
		case $folder in
		"$conf" | "$state" | "$logs") ;; # they are purged, or stay
		*) rmdir "$folder" 2>/dev/null || : ;;
		esac
	done
	rmdir $rules 2>/dev/null || :
	reload_systemd
	say 'lqproxy is removed.' 'lqproxy 已卸载。'
}

read_arguments "$@"
check_host
if [ $action = install ]; then install; else uninstall; fi
