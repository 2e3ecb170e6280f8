package migrate

import (
	"net/netip"
	"slices"
	"strings"
)

// listen takes the addresses, and what callers speak there.
func (im *importer) listen() {
	all := im.site.listeners()
	tls := im.speaksTLS(all[0])
	var kept []listener
	for _, l := range all {
		switch {
		case l.unix:
			im.d.note("listen.addresses", im.noted(UnixSocket, l.from))
		case im.speaksTLS(l) != tls:
			im.d.note("listen.addresses", im.noted(OtherMode, l.from))
		case judge("listen.addresses", l.address(), true) != nil:
			im.d.note("listen.addresses", im.noted(Unread, l.from))
		default:
			kept = append(kept, l)
			im.listenNotes(l)
		}
	}
	im.addresses(kept)
	if names := im.site.described().Names; len(names) > 0 && names[0] != "_" && names[0] != "localhost" {
		d := find(im.site.server.block, "server_name")[0]
		im.d.note("listen.addresses", im.noted(AnyHost, d))
	}
	if tls && !im.site.isStream() {
		im.certificate()
	}
}

// speaksTLS reports whether callers speak TLS at l, to nginx itself.
func (im *importer) speaksTLS(l listener) bool {
	return l.has("ssl") || im.value("ssl") == "on"
}

// listenNotes says what is different at l.
func (im *importer) listenNotes(l listener) {
	if l.port < 1024 {
		im.d.note("listen.addresses", im.noted(LowPort, l.from))
	}
	if l.has("http2") || l.has("quic") || l.has("spdy") {
		im.d.note("listen.addresses", im.noted(NoHTTP2, l.from))
	}
}

// addresses sets the key. One that covers all leaves no room for others.
func (im *importer) addresses(all []listener) {
	var texts []string
	wide := func(family string, port uint16) bool {
		return slices.ContainsFunc(all, func(l listener) bool { return l.port == port && l.host == family })
	}
	for _, l := range all {
		text := l.address()
		both := wide("", l.port) && wide("::", l.port)
		v6 := strings.Contains(l.host, ":")
		switch {
		case both:
			text = text[strings.LastIndexByte(text, ':'):]
		case l.host != "" && !v6 && wide("", l.port):
			im.d.note("listen.addresses", im.noted(Covered, l.from).with("0.0.0.0"))
			continue
		case v6 && l.host != "::" && wide("::", l.port):
			im.d.note("listen.addresses", im.noted(Covered, l.from).with("[::]"))
			continue
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	for _, text := range texts {
		k := im.d.key("listen.addresses")
		k.Elements = append(k.Elements, Element{Text: text})
	}
}

// certificate takes the certificate of the listener.
func (im *importer) certificate() {
	im.d.set("listen.tls", "files")
	for _, of := range []struct{ name, key string }{
		{"ssl_certificate", "listen.cert_file"}, {"ssl_certificate_key", "listen.key_file"},
	} {
		key := of.key
		for i, d := range find(im.force, of.name) {
			file := im.file(im.vars.expand(d.arg(0)))
			switch {
			case i > 0:
				im.d.note(key, im.noted(SecondPair, d))
			case strings.Contains(file, "$") || strings.Contains(file, ":"):
				im.d.note(key, im.noted(Unread, d))
			default:
				im.d.set(key, file)
			}
		}
	}
}

// devices takes those who vouch for the address of a caller.
func (im *importer) devices() {
	trusted := find(im.force, "set_real_ip_from")
	header := "X-Real-IP" // nginx's default
	if d, ok := im.one("real_ip_header"); ok {
		header = im.vars.expand(d.arg(0))
	}
	i := slices.IndexFunc(im.site.listeners(), func(l listener) bool { return l.has("proxy_protocol") })
	switch {
	case len(trusted) == 0 && i < 0:
	case i >= 0 && (len(trusted) == 0 || !strings.EqualFold(header, "proxy_protocol")):
		im.balancersByRules(im.site.listeners()[i].from)
	case strings.EqualFold(header, "proxy_protocol"):
		im.vouching("listen.proxy_protocol_from", trusted)
	case strings.EqualFold(header, "X-Forwarded-For"):
		im.vouching("listen.forwarded_for_from", trusted)
		if im.value("real_ip_recursive") != "on" {
			im.d.note("listen.forwarded_for_from", im.noted(LastAddress, trusted[0]))
		}
	default:
		im.vouching("listen.forwarded_for_from", trusted)
		k := im.d.key("listen.forwarded_for_from")
		for i := range k.Elements {
			k.Elements[i].Out = true
		}
		im.d.note(k.Name, im.noted(DeviceHeader, trusted[0]).with(header))
	}
}

// vouching takes the addresses of all as the elements of key.
func (im *importer) vouching(key string, all []directive) {
	for _, d := range all {
		im.d.addSource(key, im.vars.expand(d.arg(0)), im.noted(Refused, d))
	}
}

// balancersByRules is for a listener that wants the PROXY protocol of everyone
// and does not use the address in it: the rules are about balancers.
func (im *importer) balancersByRules(d directive) {
	const key = "listen.proxy_protocol_from"
	set, _ := im.admitted(im.main)
	if len(set) == 0 || holdsAll(set) {
		im.d.note(key, im.noted(NoBalancers, d))
		return
	}
	for _, p := range set {
		im.d.addSource(key, sourceText(p), im.noted(Refused, d))
	}
	im.d.note(key, im.noted(BalancerRules, d))
}

// addSource adds an element to a list of sources, as a comment if configs
// refuses it. A prefix with host bits set is masked, as nginx does.
func (d *Draft) addSource(key, text string, from Note) {
	k := d.key(key)
	e := Element{Text: text}
	if p, err := netip.ParsePrefix(text); err == nil && p.Masked() != p {
		e.Text = p.Masked().String()
		from.Kind, from.Value = Masked, text
		e.Note = &from
	}
	same := func(o Element) bool { return o.Text == e.Text }
	if slices.ContainsFunc(k.Elements, same) {
		return
	}
	if m := judge(key, e.Text, true); m != nil {
		from.Kind, from.Mistake = Refused, m
		e.Note, e.Out = &from, true
	}
	k.Elements = append(k.Elements, e)
}
