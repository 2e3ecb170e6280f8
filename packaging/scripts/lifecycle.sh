# What the scripts of the packages and install.sh have in common. The build puts
# it before each of them, so that none depends on another file of the host.
#
# install.sh sets other values for prefix and units.

prefix=/usr
conf=/etc/lqproxy
state=/var/lib/lqproxy
logs=/var/log/lqproxy
rules=/var/lib/lqproxy-firewall

# say ENGLISH CHINESE: one of them, in the language of the locale. A GBK locale
# gets its own coding where iconv is there, and English elsewhere.
say() {
	case ${LQPROXY_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}} in
	zh*.[gG][bB]*)
		printf '%s\n' "$2" | iconv -f UTF-8 -t GB18030 2>/dev/null || printf '%s\n' "$1"
		;;
	zh*) printf '%s\n' "$2" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# booted: systemd runs here; it does not in a chroot or while an image is built.
booted() {
	[ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1
}

# reload_systemd: systemd reads the units again. That it cannot is no reason to
# fail: the files are in place.
reload_systemd() {
	booted || return 0
	systemctl daemon-reload ||
		say 'lqproxy: systemd did not read its units again: systemctl daemon-reload' \
			'lqproxy：systemd 未能重新读取服务单元，请执行：systemctl daemon-reload' >&2
}

make_user() {
	getent group lqproxy >/dev/null 2>&1 || groupadd --system lqproxy || return 1
	getent passwd lqproxy >/dev/null 2>&1 && return 0
	shell=/usr/sbin/nologin # /sbin is another folder on old systems
	[ -x $shell ] || shell=/sbin/nologin
	useradd --system --gid lqproxy --home-dir $state --no-create-home \
		--comment 'lqproxy' --shell $shell lqproxy
}

# running: the units of the instances that run.
running() {
	booted || return 0
	systemctl list-units --type=service --state=active --no-legend --plain \
		lqproxy.service 'lqproxy@*.service' 2>/dev/null |
		while read -r unit _; do printf '%s\n' "$unit"; done
}

# instance_of UNIT: its name; nothing for the unnamed one.
instance_of() {
	case $1 in
	*@*)
		name=${1#*@}
		printf '%s\n' "${name%.service}"
		;;
	esac
}

# keep_former: the binary and the files that are in force stay at hand, for
# "lqproxy upgrade --rollback". A link takes no space. The service's user reads
# the files here as it does in their place, or "check" would complain.
keep_former() {
	[ -f "$prefix/bin/lqproxy" ] || return 0
	keep=$prefix/lib/lqproxy/previous.new
	rm -rf "$keep"
	mkdir -p "$keep" && chown root:lqproxy "$keep" && chmod 0750 "$keep" || return 1
	ln "$prefix/bin/lqproxy" "$keep/lqproxy" 2>/dev/null || cp -p "$prefix/bin/lqproxy" "$keep/lqproxy" || return 1
	for file in "$conf"/*.toml; do
		[ ! -f "$file" ] || cp -p "$file" "$keep/" || return 1
	done
}

# forget_former: the new binary did not come.
forget_former() {
	rm -rf "$prefix/lib/lqproxy/previous.new"
}

# settle: the new binary is there. With none before it, it is to be configured;
# else the instances that run go on with it. The same one again changes nothing,
# and takes no former one's place.
settle() {
	keep=$prefix/lib/lqproxy/previous
	if [ ! -d "$keep.new" ]; then
		next_steps
		return 0
	fi
	if cmp -s "$keep.new/lqproxy" "$prefix/bin/lqproxy"; then
		forget_former
		return 0
	fi
	rm -rf "$keep"
	mv "$keep.new" "$keep"
	hand_over
}

# first_file: the shipped configuration, where there is none.
first_file() {
	[ ! -e "$conf/lqproxy.toml" ] || return 0
	new=$conf/.lqproxy.toml.new
	cp "$prefix/share/lqproxy/lqproxy.toml" "$new" && chown root:lqproxy "$new" && chmod 0640 "$new" &&
		mv "$new" "$conf/lqproxy.toml"
}

# hand_over: each running instance goes on with the new binary, unless
# package.conf says that a person will choose the time.
hand_over() {
	units=$(running)
	[ -n "$units" ] || return 0
	if grep -q '^[[:space:]]*handover[[:space:]]*=[[:space:]]*no[[:space:]]*$' "$conf/package.conf" 2>/dev/null; then
		say 'lqproxy: installed, but the former version still runs (handover=no). In the change window:' \
			'lqproxy：新版本已安装，但运行中的仍是旧版本（handover=no）。请在变更窗口内执行：'
		for unit in $units; do
			name=$(instance_of "$unit")
			printf '  lqproxy upgrade%s\n' "${name:+ -i $name}"
		done
		return 0
	fi
	for unit in $units; do hand_over_one "$unit"; done
}

hand_over_one() {
	name=$(instance_of "$1")
	if "$prefix/bin/lqproxy" upgrade ${name:+-i "$name"}; then
		return 0
	fi
	say "lqproxy: $1 goes on with the former version. See what is said above, then: lqproxy upgrade${name:+ -i $name}" \
		"lqproxy：$1 仍以旧版本运行。请按上面的提示处理后执行：lqproxy upgrade${name:+ -i $name}" >&2
}

next_steps() {
	say 'lqproxy is installed. Nothing is started before it is configured. Next:' \
		'lqproxy 已安装。配置完成之前不会启动任何服务。接下来请依次执行：'
	say '  lqproxy setup                     write the configuration' \
		'  lqproxy setup                     生成配置'
	say '  lqproxy probe                     test the path to Leqi' \
		'  lqproxy probe                     测试到乐企平台的连通性'
	say '  systemctl enable --now lqproxy    start it, and at each boot' \
		'  systemctl enable --now lqproxy    启动，并设为开机自动启动'
}

# stop_all: exchanges end first, which takes up to two minutes.
stop_all() {
	if booted; then
		systemctl stop lqproxy-firewall.timer 'lqproxy-firewall@*.timer' \
			lqproxy.service 'lqproxy@*.service' 2>/dev/null || :
	fi
	for link in /etc/systemd/system/*.wants/lqproxy.service /etc/systemd/system/*.wants/lqproxy@*.service \
		/etc/systemd/system/*.wants/lqproxy-firewall.timer /etc/systemd/system/*.wants/lqproxy-firewall@*.timer; do
		[ ! -L "$link" ] || rm -f "$link"
	done
}

# remove_rules: ours alone, and not while something else listens on the port.
remove_rules() {
	for record in "$rules"/*.json; do
		[ -f "$record" ] || continue
		name=$(basename "$record" .json)
		[ "$name" != lqproxy ] || name=
		"$prefix/bin/lqproxy" firewall remove --yes --unused ${name:+-i "$name"} ||
			say "lqproxy: firewall rules stay; $record names them" \
				"lqproxy：防火墙规则未撤销，规则记录在 $record" >&2
	done
}

# purge: configuration, state, logs and user. Of rules that stand the record
# stays too, or nobody would know whose they are.
purge() {
	rm -rf $conf $state $logs
	standing=
	for record in "$rules"/*.json; do
		[ -f "$record" ] || continue
		standing=$record
		say "lqproxy: firewall rules still stand, as $record says; to take them away: install lqproxy, and run lqproxy firewall remove" \
			"lqproxy：防火墙规则仍在生效，记录在 $record；如需撤销，请重新安装后执行 lqproxy firewall remove" >&2
	done
	[ -n "$standing" ] || rm -rf $rules
	! getent passwd lqproxy >/dev/null 2>&1 || userdel lqproxy 2>/dev/null || :
	! getent group lqproxy >/dev/null 2>&1 || groupdel lqproxy 2>/dev/null || :
}
