package firewall

import (
	"cmp"
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// A Knock is a source that asked for a connection to a port, and how often. A
// source that is dropped asks again after 1, 3, 7 seconds.
type Knock struct {
	Source   netip.Addr `json:"source"`
	Port     uint16     `json:"port"`
	Count    int        `json:"count"`
	First    time.Time  `json:"first"`
	Last     time.Time  `json:"last"`
	Admitted bool       `json:"admitted"` // by the policy
}

// mostKnocks bounds the sources that are kept apart: the world may knock.
const mostKnocks = 10_000

// Watch listens until ctx is done, before the packet filter of this host, for
// who asks for a connection to a port of p. It calls each, which may be nil,
// for the first knock of every source, and returns all of them, by count. It
// needs root, and changes nothing.
func Watch(ctx context.Context, p Policy, each func(Knock)) ([]Knock, error) {
	w := watch{policy: p, each: each, knocks: map[knocker]*Knock{}}
	err := listenPackets(ctx, func(packet []byte) {
		if k, ok := readKnock(packet); ok && p.hasPort(k.port) {
			w.note(k, time.Now())
		}
	})
	return w.sorted(), err
}

// A knocker is who knocks where.
type knocker struct {
	source netip.Addr
	port   uint16
}

type watch struct {
	policy Policy
	each   func(Knock)
	knocks map[knocker]*Knock
}

func (w *watch) note(k knocker, now time.Time) {
	knock, known := w.knocks[k]
	switch {
	case known:
		knock.Count++
		knock.Last = now
	case len(w.knocks) < mostKnocks:
		knock = &Knock{k.source, k.port, 1, now, now, w.policy.Allows(k.source, k.port)}
		w.knocks[k] = knock
		if w.each != nil {
			w.each(*knock)
		}
	}
}

func (w *watch) sorted() []Knock {
	all := make([]Knock, 0, len(w.knocks))
	for _, k := range w.knocks {
		all = append(all, *k)
	}
	slices.SortFunc(all, func(a, b Knock) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Source.Compare(b.Source), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// readKnock reads a packet from its network header on: a TCP segment that asks
// for a connection. Fragments and IPv6 extension headers, which such segments
// never have, are passed over.
func readKnock(packet []byte) (k knocker, ok bool) {
	const protocolTCP = 6
	if len(packet) == 0 {
		return k, false
	}
	var source, segment []byte
	switch packet[0] >> 4 {
	case 4:
		header := int(packet[0]&0x0f) * 4
		if header < 20 || len(packet) < header || packet[9] != protocolTCP || binary.BigEndian.Uint16(packet[6:])&0x1fff != 0 {
			return k, false
		}
		source, segment = packet[12:16], packet[header:]
	case 6:
		const header = 40
		if len(packet) < header || packet[6] != protocolTCP {
			return k, false
		}
		source, segment = packet[8:24], packet[header:]
	}
	const flagsAt, syn, ack = 13, 0x02, 0x10
	if len(segment) <= flagsAt || segment[flagsAt]&(syn|ack) != syn {
		return k, false
	}
	k.source, _ = netip.AddrFromSlice(source)
	k.port = binary.BigEndian.Uint16(segment[2:])
	return k, true
}
