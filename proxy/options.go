package proxy

import (
	"time"

	"github.com/lqproxy/lqproxy/proxy/allow"
)

// Options are what the data plane is told. Never modified after New or Reload.
type Options struct {
	Sources   allow.List // who may connect
	Balancers allow.List // listen.proxy_protocol_from
	Devices   allow.List // listen.forwarded_for_from
	Monitors  allow.List // listen.health_from

	Units        []Unit   // names of units, for metrics
	AllowedUnits []string // allow.units; empty: any
	Paths        []string // allow.paths: prefixes

	DropFields []string // upstream.drop_headers

	HeaderTimeout   time.Duration // from the first byte of a head to its end
	BodyTimeout     time.Duration // without progress, on the caller's side
	IdleTimeout     time.Duration // between exchanges
	ResponseTimeout time.Duration // for the upstream's head, then without progress
	DrainGrace      time.Duration
	DrainTimeout    time.Duration

	Limits Limits
}

// A Unit is one enterprise's access to Leqi (接入单位).
type Unit struct{ ID, Name string }

// Limits bound what callers may take.
type Limits struct {
	Connections  int           // at once
	Exchanges    int           // at once; more wait
	QueueTimeout time.Duration // for the longest wait
	HeaderSize   int           // bytes of a head
	HeaderCount  int           // fields of a head
	BodySize     int64         // bytes of a request's body
}
