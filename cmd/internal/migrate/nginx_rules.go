package migrate

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A rule says what becomes of a directive: a note of that kind beside that key.
// Without a kind the code that reads it says all there is to say.
type rule struct {
	kind Kind
	key  string
	once bool // it is judged for each location on its own: see differs
}

// differs reports whether two locations with different such directives are worth a note.
func (r rule) differs() bool { return !r.once }

// rules are the directives that are known, by name. Others have no counterpart.
var rules = merged(
	map[string]rule{
		// Read by code.
		"listen": {}, "server_name": {}, "proxy_pass": {once: true}, "allow": {once: true}, "deny": {once: true},
		"set": {once: true}, "if": {once: true}, "ssl": {}, "ssl_certificate": {}, "ssl_certificate_key": {},
		"ssl_protocols": {}, "ssl_verify_client": {}, "set_real_ip_from": {}, "real_ip_header": {}, "real_ip_recursive": {},
		"proxy_set_header": {}, "proxy_bind": {}, "proxy_connect_timeout": {}, "proxy_read_timeout": {},
		"proxy_send_timeout": {}, "proxy_timeout": {}, "client_header_timeout": {}, "client_body_timeout": {},
		"send_timeout": {}, "keepalive_timeout": {}, "client_max_body_size": {}, "large_client_header_buffers": {},
		"proxy_ssl_verify": {}, "proxy_ssl_trusted_certificate": {}, "proxy_ssl_name": {}, "proxy_ssl_server_name": {},
		"proxy_ssl_protocols": {}, "access_log": {}, "proxy_ssl": {},
	},
	noted(Conditional, "", "rewrite", "return", "try_files", "error_page", "mirror", "internal", "proxy_method",
		"proxy_set_body", "proxy_pass_request_headers", "proxy_pass_request_body", "proxy_redirect", "sub_filter",
		"rewrite_by_lua_block", "rewrite_by_lua_file", "rewrite_by_lua", "access_by_lua_block", "access_by_lua_file",
		"access_by_lua", "content_by_lua_block", "content_by_lua_file", "content_by_lua", "header_filter_by_lua_block",
		"header_filter_by_lua_file", "body_filter_by_lua_block", "body_filter_by_lua_file", "set_by_lua_block",
		"set_by_lua_file", "set_by_lua", "js_content", "js_header_filter", "js_body_filter", "js_set", "perl"),
	noted(NoAuth, "allow.sources", "auth_basic", "auth_request", "auth_jwt", "satisfy", "limit_except", "valid_referers",
		"secure_link", "modsecurity"),
	noted(NoRateLimit, "limits.body_size", "limit_req", "limit_conn", "limit_rate", "limit_rate_after"),
	noted(KeyPassword, "listen.key_file", "ssl_password_file"),
	noted(NoHTTP2, "listen.addresses", "http2", "http3"),
	noted(ClientCert, "upstream.address", "proxy_ssl_certificate", "proxy_ssl_certificate_key", "proxy_ssl_password_file"),
	noted(Ciphers, "upstream.tls.min_version", "proxy_ssl_ciphers", "proxy_ssl_conf_command"),
	noted(SystemResolver, "upstream.address", "resolver"),
	noted(NeverTwice, "upstream.address", "proxy_next_upstream", "proxy_next_upstream_tries", "proxy_next_upstream_timeout"),
	noted(BytesUntouch, "", "add_header", "proxy_hide_header", "proxy_cookie_path", "proxy_cookie_domain",
		"proxy_cookie_flags", "proxy_intercept_errors", "proxy_cache", "gzip", "gunzip", "charset", "more_set_headers",
		"more_clear_headers", "more_set_input_headers", "more_clear_input_headers"),
	noted(OwnLog, "log.access_file", "error_log"),
	noted(NotNeeded, "", "root", "index", "server_tokens", "sendfile", "tcp_nopush", "tcp_nodelay", "default_type",
		"types_hash_max_size", "log_format", "open_log_file_cache", "log_not_found", "keepalive_requests", "keepalive_disable",
		"reset_timedout_connection", "resolver_timeout", "client_body_buffer_size", "client_body_in_file_only",
		"client_body_temp_path", "client_header_buffer_size", "connection_pool_size", "request_pool_size",
		"underscores_in_headers", "ignore_invalid_headers", "merge_slashes", "absolute_redirect", "port_in_redirect",
		"server_name_in_redirect", "server_names_hash_bucket_size", "server_names_hash_max_size", "proxy_buffering",
		"proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size", "proxy_temp_path", "proxy_temp_file_write_size",
		"proxy_max_temp_file_size", "proxy_request_buffering", "proxy_http_version", "proxy_headers_hash_max_size",
		"proxy_headers_hash_bucket_size", "proxy_ignore_client_abort", "proxy_ignore_headers", "proxy_pass_header",
		"proxy_socket_keepalive", "proxy_ssl_session_reuse", "proxy_ssl_verify_depth", "proxy_force_ranges",
		"ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_session_cache", "ssl_session_timeout", "ssl_session_tickets",
		"ssl_session_ticket_key", "ssl_dhparam", "ssl_ecdh_curve", "ssl_buffer_size", "ssl_stapling",
		"ssl_stapling_verify", "ssl_trusted_certificate", "ssl_client_certificate", "ssl_verify_depth",
		"lingering_close", "lingering_time", "lingering_timeout", "map_hash_bucket_size", "map_hash_max_size",
		"variables_hash_max_size", "variables_hash_bucket_size", "msie_padding", "etag", "aio", "directio",
		"limit_req_zone", "limit_conn_zone", "limit_req_log_level", "limit_conn_log_level", "limit_req_status",
		"limit_conn_status", "break", "preread_buffer_size",
		"auth_basic_user_file", "auth_request_set"),
)

// noted returns rules of one kind.
func noted(k Kind, key string, names ...string) map[string]rule {
	all := make(map[string]rule, len(names))
	for _, name := range names {
		all[name] = rule{kind: k, key: key}
	}
	return all
}

func merged(sets ...map[string]rule) map[string]rule {
	all := map[string]rule{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// readers are the directives that set a key each for itself.
func (im *importer) readers() map[string]func(directive) {
	return map[string]func(directive){
		"proxy_connect_timeout": im.timeout("upstream.dial_timeout"),
		"proxy_read_timeout":    im.timeout("upstream.response_timeout"),
		"proxy_timeout":         im.timeout("upstream.response_timeout"),
		"client_header_timeout": im.timeout("listen.header_timeout"),
		"client_body_timeout":   im.timeout("listen.body_timeout"),
		"send_timeout":          im.sendTimeout,
		"proxy_send_timeout":    im.proxySendTimeout,
		"keepalive_timeout":     im.timeout("listen.idle_timeout"),

		"client_max_body_size":        im.bodySize,
		"large_client_header_buffers": im.headerSize,
		"proxy_bind":                  im.bind,
		"ssl_protocols":               im.callerVersions,
		"ssl_verify_client":           im.callerCertificate,
		"proxy_ssl_protocols":         im.upstreamVersions,
		"access_log":                  im.accessLog,
		"if":                          im.condition,
	}
}

// timeout returns what reads a time into key.
func (im *importer) timeout(key string) func(directive) {
	return func(d directive) {
		t, ok := readTime(im.vars.expand(d.arg(0)))
		if !ok {
			im.d.note(key, im.noted(Unread, d))
			return
		}
		im.d.setDuration(key, t, im.noted(Clamped, d))
	}
}

// sendTimeout shares a key with client_body_timeout: the longer one is kept.
func (im *importer) sendTimeout(d directive) {
	const key = "listen.body_timeout"
	body, _ := readTime(im.value("client_body_timeout"))
	if t, ok := readTime(im.vars.expand(d.arg(0))); ok && t <= body {
		im.d.note(key, im.noted(OneTimeout, d))
		return
	}
	im.timeout(key)(d)
}

// proxySendTimeout has the key of proxy_read_timeout alone.
func (im *importer) proxySendTimeout(d directive) {
	send, ok := readTime(im.value("proxy_send_timeout"))
	read, _ := readTime(im.value("proxy_read_timeout"))
	if !ok || send != read {
		im.d.note("upstream.response_timeout", im.noted(OneTimeout, d))
	}
}

func (im *importer) bodySize(d directive) {
	const key = "limits.body_size"
	n, ok := readBytes(im.vars.expand(d.arg(0)))
	switch {
	case !ok:
		im.d.note(key, im.noted(Unread, d))
		return
	case n == 0:
		n = 1 << 62 // unlimited
	}
	im.d.setSize(key, n, im.noted(Clamped, d))
}

// headerSize reads a number of buffers and the size of each. A head may fill
// them all, a line of it one.
func (im *importer) headerSize(d directive) {
	const key = "limits.header_size"
	buffers, err := strconv.ParseInt(d.arg(0), 10, 16)
	size, ok := readBytes(d.arg(1))
	if err != nil || !ok || size > 1<<40 {
		im.d.note(key, im.noted(Unread, d))
		return
	}
	im.d.note(key, im.noted(LineLimit, d))
	im.d.setSize(key, buffers*size, im.noted(Clamped, d))
}

func (im *importer) bind(d directive) {
	const key = "upstream.local_address"
	address := im.vars.expand(d.arg(0))
	if host, port := splitHost(address); port != 0 {
		address = host
	}
	switch {
	case address == "off":
	case len(d.args) > 1, judge(key, address, false) != nil:
		im.d.note(key, im.noted(Transparent, d))
	default:
		im.d.set(key, address)
	}
}

func (im *importer) callerVersions(d directive) {
	if slices.ContainsFunc(d.args, func(v string) bool { return v != "TLSv1.2" && v != "TLSv1.3" }) {
		im.d.note("listen.tls", im.noted(OldTLS, d))
	}
}

func (im *importer) callerCertificate(d directive) {
	if d.arg(0) != "off" {
		im.d.note("listen.tls", im.noted(CallerCert, d))
	}
}

// tlsVersions are nginx's names, the oldest first.
var tlsVersions = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

// upstreamVersions takes the range of versions that lqproxy may speak of those
// that d has: from 1.2 on if that leaves any.
func (im *importer) upstreamVersions(d directive) {
	const key = "upstream.tls.min_version"
	names := []string{"1.0", "1.1", "1.2", "1.3"}
	var has []int
	for i, v := range tlsVersions {
		if slices.Contains(d.args, v) {
			has = append(has, i)
		}
	}
	if len(has) == 0 {
		im.d.note(key, im.noted(Unread, d))
		return
	}
	least, most := has[0], has[len(has)-1]
	if least < 2 {
		im.d.note(key, im.noted(OldUpstreamTLS, d))
		least = max(least, min(most, 2))
	}
	im.d.set(key, names[least])
	im.d.set("upstream.tls.max_version", names[most])
}

func (im *importer) accessLog(d directive) {
	im.d.note("log.access_file", im.noted(OwnLog, d))
}

// condition notes an "if", unless it is one that access reads.
func (im *importer) condition(d directive) {
	if _, ok := im.gate(d); !ok {
		im.noteOnce("", im.noted(Conditional, d))
	}
}

// file returns a file that a directive names, as a whole path.
func (im *importer) file(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(im.root, name)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// timeUnits are nginx's, the longest first.
var timeUnits = []struct {
	name string
	long time.Duration
}{
	{"ms", time.Millisecond},
	{"y", 365 * 24 * time.Hour},
	{"M", 30 * 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"", time.Second},
}

// readTime reads a time of nginx: "60", "60s", "1m30s".
func readTime(s string) (t time.Duration, ok bool) {
	for s = strings.ReplaceAll(s, " ", ""); s != ""; {
		unit := strings.TrimLeft(s, "0123456789")
		digits := s[:len(s)-len(unit)]
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil {
			return 0, false
		}
		for _, u := range timeUnits {
			if rest, found := strings.CutPrefix(unit, u.name); found {
				t += time.Duration(min(n, int64(1000*24*time.Hour/u.long))) * u.long // no more is ever meant
				s, ok = rest, true
				break
			}
		}
		if ok && s != "" && (s[0] < '0' || s[0] > '9') {
			return 0, false
		}
	}
	return t, ok
}

// readBytes reads a size of nginx: "512", "8k", "20M", "1g".
func readBytes(s string) (n int64, ok bool) {
	shift := 0
	digits := strings.ToLower(s)
	for i, unit := range []string{"k", "m", "g"} {
		if d, found := strings.CutSuffix(digits, unit); found {
			digits, shift = d, 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	return n << shift, err == nil && n >= 0
}
