# a machine of our own: files, a systemctl that knows two units, and a network
mount -t tmpfs none /run; mkdir -p /run/systemd/system /run/units /run/lib/nginx /run/etc
cp -a /etc/. /run/etc; mount --bind /run/etc /etc; mount --bind /run/lib /var/lib
rm -rf /etc/rc.local* /etc/rc.d; sed -i '/^lqproxy:/d' /etc/passwd
printf '#!/bin/sh\n# nginx is started below\ntouch /run/started; nginx -p /srv -c /srv/nginx.conf\n' >/etc/rc.local; chmod 755 /etc/rc.local
ip link set lo up
mkdir -p /run/m/bin /run/state; cp nginx.conf lqproxy.toml /run/m; install systemctl /run/m/bin/systemctl; cd /run/m # a name of one length
export PATH=$PWD/bin:$PATH CONFIG=$PWD/lqproxy.toml
say() {
	echo "\$ lqproxy $*"
	code=0
	lqproxy --lang=en "$@" </dev/null >out.txt 2>&1 || code=$?
	# the report of the probe has tests of its own
	sed -E -e '/^1 resolve/,/^[a-z_]+: /{/^[a-z_]+: /!d}' -e 's/(pid|-QUIT) [0-9]+/\1 N/g; s/for [0-9.]+ s/for N s/; s/on 20[0-9: -]+/on DATE/' out.txt
	[ $code = 0 ] || echo "exit code $code"
}
listening() { grep -qi "$1 [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6; }
silent() { ! listening "$1"; }
await() {
	for _ in $(seq 500); do
		"$@" && return
		sleep 0.02
	done
	echo "waited in vain: $*"
}
who() { # answers a call
	case $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8864/) in
	204) echo "nginx answers" ;;
	404) echo "lqproxy answers" ;;
	*) echo "nobody answers" ;;
	esac
}
