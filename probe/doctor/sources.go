package doctor

import (
	"bytes"
	"encoding/json"
	"net/netip"
)

// What of the access log is looked at, and how many calls tell something.
const (
	sourcesSize = 1 << 20 // bytes from its end
	fewCalls    = 20
)

// sources checks whether a device in between rewrites the addresses of callers.
func (m machine) sources(access string) Finding {
	if access == "" {
		return found(SourcesFew, 0)
	}
	text, _ := m.tail(access, sourcesSize) // without a log there are no calls
	return judgeSources(text)
}

// judgeSources counts the calls in lines of the access log, those from this
// machine left out.
func judgeSources(lines []byte) Finding {
	private, public := 0, 0
	for line := range bytes.Lines(lines) {
		var call struct {
			Source netip.Addr `json:"source"`
		}
		if json.Unmarshal(line, &call) != nil || !call.Source.IsValid() || call.Source.IsLoopback() {
			continue
		}
		if isPrivate(call.Source) {
			private++
		} else {
			public++
		}
	}
	switch {
	case public > 0:
		return found(SourcesTold, private+public)
	case private >= fewCalls:
		return found(SourcesSame, private)
	}
	return found(SourcesFew, private)
}

// shared are the addresses of carriers' NAT (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate reports whether addr is not routed on the internet.
func isPrivate(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || shared.Contains(addr)
}
