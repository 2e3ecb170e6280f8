package migrate

import (
	"cmp"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// upstream takes the one host, and its addresses where they are written.
func (im *importer) upstream() {
	const key = "upstream.address"
	t := im.main.target
	if len(t.varies) > 0 {
		im.d.note(key, im.noted(Varies, im.main.pass).with(strings.Join(t.varies, ", ")))
	}
	if t.scheme == "http" || t.scheme == "tcp" && im.value("proxy_ssl") == "on" {
		im.d.note(key, im.noted(PlainUpstream, im.main.pass))
	}
	kept := im.members(t)
	if len(kept) == 0 {
		im.noteOnce(key, im.noted(Unread, im.main.pass))
		return
	}
	host, port := im.hostOf(kept)
	im.d.set(key, net.JoinHostPort(host, strconv.Itoa(int(port))))
	if m := judge(key, im.d.key(key).Value, false); m != nil {
		im.d.note(key, im.noted(Unread, im.main.pass))
		im.d.key(key).Value = ""
		return
	}
	if isAddress(kept[0].host) && (len(kept) > 1 || kept[0].host != host) {
		im.fixedIPs(kept)
	}
}

// members returns the servers that can be one upstream: addresses of one port,
// or one name. The others are noted.
func (im *importer) members(t target) []member {
	var kept []member
	for _, m := range t.members(im.main.pass) {
		m.port = cmp.Or(m.port, t.defaultPort())
		n := im.noted(OtherHost, m.from)
		switch {
		case m.host == "" || strings.Contains(m.host, "$") || strings.HasPrefix(m.from.arg(0), "unix:"):
			im.d.note("upstream.address", im.noted(Unread, m.from))
		case slices.Contains(m.params, "down"):
			im.d.note("upstream.address", im.noted(DownServer, m.from))
		case slices.Contains(m.params, "backup"):
			im.d.note("upstream.address", im.noted(BackupServer, m.from))
		case len(kept) == 0:
			kept = append(kept, m)
		case kept[0].port != m.port:
			n.Kind, n.Value = OtherPort, strconv.Itoa(int(kept[0].port))
			im.d.note("upstream.address", n)
		case !isAddress(m.host) || !isAddress(kept[0].host):
			im.d.note("upstream.address", n.with(kept[0].host))
		default:
			kept = append(kept, m)
		}
	}
	if t.group != nil {
		im.groupNotes(*t.group, len(kept))
	} else if t.scheme == "https" {
		im.d.note("upstream.idle_timeout", im.noted(KeepsConnections, im.main.pass))
	}
	return kept
}

func (t target) defaultPort() uint16 {
	if t.scheme == "http" {
		return 80
	}
	return 443
}

// groupNotes says what becomes of an upstream block's other lines.
func (im *importer) groupNotes(group directive, servers int) {
	keeps := false
	for _, d := range group.block {
		switch d.name {
		case "server":
			if servers > 1 && strings.Contains(d.text(), "weight=") {
				im.d.note("upstream.fixed_ips", im.noted(AllAlike, d))
			}
		case "keepalive":
			keeps = true
		case "keepalive_timeout":
			im.timeout("upstream.idle_timeout")(d)
		case "keepalive_requests", "keepalive_time", "zone", "#":
			im.needless = append(im.needless, d)
		default:
			im.d.note("upstream.address", im.noted(AllAlike, d))
		}
	}
	if !keeps {
		im.d.note("upstream.idle_timeout", im.noted(KeepsConnections, group))
	}
}

// hostOf returns the name and port of the upstream. Where there are addresses
// alone, its name is that which nginx uses towards it.
func (im *importer) hostOf(kept []member) (string, uint16) {
	host, port := kept[0].host, kept[0].port
	if !isAddress(host) {
		return host, port
	}
	if d, ok := im.one("proxy_ssl_name"); ok {
		if name, _ := splitHost(im.vars.expand(d.arg(0))); !strings.Contains(name, "$") && judge("upstream.tls.server_name", name, false) == nil {
			im.d.note("upstream.address", im.noted(NameFromHost, d))
			return name, port
		}
	}
	if d, ok := im.header("Host"); ok {
		name, _ := splitHost(im.vars.expand(d.arg(1)))
		if !strings.Contains(name, "$") && !isAddress(name) && judge("upstream.tls.server_name", name, false) == nil {
			im.d.note("upstream.address", im.noted(NameFromHost, d))
			return name, port
		}
	}
	if im.main.target.group != nil || len(kept) > 1 {
		im.d.note("upstream.address", im.noted(NameNeeded, kept[0].from))
	}
	return host, port
}

// fixedIPs takes the addresses of an upstream block.
func (im *importer) fixedIPs(kept []member) {
	k := im.d.key("upstream.fixed_ips")
	for _, m := range kept {
		if judge(k.Name, m.host, true) != nil {
			im.d.note(k.Name, im.noted(Unread, m.from))
			continue
		}
		if slices.ContainsFunc(k.Elements, func(e Element) bool { return e.Text == m.host }) {
			continue
		}
		k.Elements = append(k.Elements, Element{Text: m.host})
	}
}

// identity takes how the upstream's certificate is judged.
func (im *importer) identity() {
	if im.site.isStream() {
		return
	}
	const key = "upstream.tls.verify"
	d, set := im.one("proxy_ssl_verify")
	if im.value("proxy_ssl_verify") != "on" {
		n := Note{Kind: NotVerified, At: im.main.pass.at, What: "proxy_ssl_verify off"}
		if set {
			n = im.noted(NotVerified, d)
		}
		im.d.note(key, n)
	} else {
		im.d.set(key, "full")
		if file := im.value("proxy_ssl_trusted_certificate"); file != "" {
			im.d.set("upstream.tls.ca_file", im.file(file))
		}
	}
	im.serverName()
}

// serverName takes the name of the handshake, where it is not the host's.
func (im *importer) serverName() {
	const key = "upstream.tls.server_name"
	sends := im.value("proxy_ssl_server_name") == "on"
	if d, ok := im.one("proxy_ssl_name"); ok && (sends || im.d.key("upstream.tls.verify").Value != "") {
		name := im.vars.expand(d.arg(0))
		host, _ := splitHost(im.d.key("upstream.address").Value)
		switch {
		case name == host || name == "$proxy_host":
		case judge(key, name, false) != nil:
			im.d.note(key, im.noted(Unread, d))
		default:
			im.d.set(key, name)
		}
	}
	if host, _ := splitHost(im.d.key("upstream.address").Value); !sends && !isAddress(host) {
		im.d.note(key, Note{Kind: NamesHost, At: im.main.pass.at, What: "proxy_ssl_server_name off"})
	}
}

// paths takes the locations as prefixes.
func (im *importer) paths() {
	const key = "allow.paths"
	var texts []string
	for _, w := range im.ways {
		text := im.pathOf(w.location())
		if text != "" && judge(key, text, true) == nil && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if slices.ContainsFunc(im.ways, im.rewrites) {
		return // what callers send now is not what Leqi is to get
	}
	for _, text := range texts {
		covered := func(other string) bool { return other != text && strings.HasPrefix(text, other) }
		if !slices.ContainsFunc(texts, covered) {
			k := im.d.key(key)
			k.Elements = append(k.Elements, Element{Text: text})
		}
	}
}

// literal is the beginning of a pattern that means itself.
var literal = regexp.MustCompile(`^\^(/[A-Za-z0-9_/-]*)`)

// pathOf returns the prefix that a location is for; "" if lqproxy's own is to stay.
func (im *importer) pathOf(l directive) string {
	const key = "allow.paths"
	switch modifier, path := l.arg(0), l.arg(1); {
	case l.name != "location" || modifier == "/":
		im.d.note(key, im.noted(RootPath, l))
		return ""
	case len(l.args) == 1 && !strings.HasPrefix(modifier, "="):
		return modifier
	case modifier == "^~":
		return path
	case strings.HasPrefix(modifier, "="):
		im.d.note(key, im.noted(ExactPath, l))
		return ""
	default:
		prefix := ""
		if m := literal.FindStringSubmatch(path); m != nil && modifier == "~" && !quantified(path[len(m[0]):]) {
			prefix = m[1]
		}
		im.d.note(key, im.noted(PatternPath, l).with(prefix))
		return prefix
	}
}

// quantified reports whether a pattern goes on with what makes the character
// before it optional, or has an alternative to all of it.
func quantified(pattern string) bool {
	depth := 0
	for _, c := range pattern {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth <= 0 {
				return true
			}
		}
	}
	return pattern != "" && strings.ContainsRune("*?{", rune(pattern[0]))
}

// same are what nginx appends to say the whole request again.
var same = []string{"", "$request_uri", "$uri$is_args$args", "$document_uri$is_args$args"}

// rewrites reports whether Leqi gets another path than the caller sent.
func (im *importer) rewrites(w way) bool {
	t := w.target
	return !slices.Contains(same, t.path) && (t.dynamic || t.path != w.location().arg(len(w.location().args)-1))
}

// rewriting notes what becomes of the path on the way to Leqi.
func (im *importer) rewriting() {
	for _, w := range im.ways {
		switch path := w.target.path; {
		case path == "" || path == "$request_uri":
		case im.rewrites(w):
			im.d.note("allow.paths", im.noted(Rewritten, w.pass).with(path))
		default:
			im.d.note("allow.paths", im.noted(Normalised, w.pass))
		}
	}
}
