package migrate

import (
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/configs"
)

// header returns the proxy_set_header of a field that is in force.
func (im *importer) header(name string) (d directive, ok bool) {
	for _, h := range find(im.force, "proxy_set_header") {
		if strings.EqualFold(h.arg(0), name) {
			d, ok = h, true
		}
	}
	return d, ok
}

// hopByHop are fields that lqproxy sets or ends by itself.
var hopByHop = []string{
	"connection", "upgrade", "keep-alive", "te", "trailer", "proxy-connection", "content-length", "transfer-encoding", "expect",
}

// addresses are fields with the addresses or the scheme of callers.
var addressFields = []string{
	"x-real-ip", "x-forwarded-for", "forwarded", "via", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
	"x-forwarded-scheme", "x-scheme", "x-client-ip", "remote-host", "proxy-client-ip", "wl-proxy-client-ip", "x-nginx-proxy",
}

// headers notes what nginx sets and lqproxy does not.
func (im *importer) headers() {
	const key = "upstream.drop_headers"
	var dropped []string
	for _, d := range find(im.force, "proxy_set_header") {
		name, value := strings.ToLower(d.arg(0)), im.vars.expand(d.arg(1))
		switch {
		case name == "host":
			im.hostHeader(d, value)
		case slices.Contains(hopByHop, name):
			im.needless = append(im.needless, d)
		case value == "" && judge(key, d.arg(0), true) == nil:
			dropped = append(dropped, d.arg(0))
		case slices.Contains(addressFields, name):
			im.d.note(key, im.noted(AddressHeader, d))
		case value == "$http_"+strings.ReplaceAll(name, "-", "_"):
			im.needless = append(im.needless, d) // it passes as it came
		default:
			im.d.note(key, im.noted(NotAdded, d))
		}
	}
	im.drop(dropped)
}

// drop adds fields to those that do not leave by default.
func (im *importer) drop(names []string) {
	if len(names) == 0 {
		return
	}
	k := im.d.key("upstream.drop_headers")
	for _, name := range slices.Concat(configs.Default().Proxy.DropFields, names) {
		if !slices.ContainsFunc(k.Elements, func(e Element) bool { return strings.EqualFold(e.Text, name) }) {
			k.Elements = append(k.Elements, Element{Text: name})
		}
	}
}

// hostHeader notes a Host that is another than lqproxy sends.
func (im *importer) hostHeader(d directive, value string) {
	sent := im.d.key("upstream.address").Value
	sent = strings.TrimSuffix(sent, ":443")
	if value != sent && value != "$proxy_host" {
		im.d.note("upstream.address", im.noted(HostReplaced, d).with(sent))
	}
}
