package upstream

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the time series: renaming one breaks dashboards.
const (
	nameUp          = "lqproxy_upstream_up"
	namePhase       = "lqproxy_upstream_phase_seconds"
	nameConnections = "lqproxy_upstream_connections"
	nameAddresses   = "lqproxy_upstream_addresses"
	nameNotAfter    = "lqproxy_upstream_certificate_not_after_timestamp_seconds"
	nameChanged     = "lqproxy_upstream_certificate_changed"
)

// phaseBuckets reach from a handshake within a data centre to the longest answer.
var phaseBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}

// Metrics are the time series of the upstream. An Upstream and the one that
// takes its place at a reload share them: connections of both are counted, and
// the rest is what the one says whose Run began last. Safe for concurrent use.
type Metrics struct {
	Wait prometheus.Observer // lqproxy_upstream_phase_seconds{phase="wait"}, observed by package proxy

	resolve, connect, handshake prometheus.Observer
	up, addresses, notAfter     prometheus.Gauge

	idle, busy atomic.Int64
	owner      atomic.Pointer[Upstream]
}

// NewMetrics registers them with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		up:        gauge(nameUp, "Whether the last attempt to connect to the upstream came about."),
		addresses: gauge(nameAddresses, "Addresses of the upstream that are in use."),
		notAfter:  gauge(nameNotAfter, "When the certificate that the upstream showed last expires."),
	}
	phases := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    namePhase,
		Help:    "Time of each phase of an exchange with the upstream that came about.",
		Buckets: phaseBuckets,
	}, []string{"phase"})
	m.resolve, m.connect = phases.WithLabelValues("resolve"), phases.WithLabelValues("connect")
	m.handshake, m.Wait = phases.WithLabelValues("tls"), phases.WithLabelValues("wait")

	reg.MustRegister(m.up, m.addresses, m.notAfter, phases,
		connections("idle", &m.idle), connections("busy", &m.busy),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: nameChanged,
			Help: "Whether the upstream showed a key that is not yet accepted.",
		}, m.changed))
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// connections is read at the scrape, so that lending a connection costs no
// more than an atomic addition.
func connections(state string, n *atomic.Int64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        nameConnections,
		Help:        "Open connections to the upstream.",
		ConstLabels: prometheus.Labels{"state": state},
	}, func() float64 { return float64(n.Load()) })
}

func (m *Metrics) changed() float64 {
	if u := m.owner.Load(); u != nil && u.certificateChanged() {
		return 1
	}
	return 0
}

// A gauges writes the metrics of which there is one for all Upstreams: only if
// u's Run began last, or none's did.
type gauges struct {
	m *Metrics
	u *Upstream
}

func (g gauges) set(which prometheus.Gauge, v float64) {
	if owner := g.m.owner.Load(); owner == nil || owner == g.u {
		which.Set(v)
	}
}

func (g gauges) setUp(up bool) {
	v := 0.0
	if up {
		v = 1
	}
	g.set(g.m.up, v)
}

func (g gauges) setAddresses(n int) { g.set(g.m.addresses, float64(n)) }

func (g gauges) setNotAfter(t time.Time) { g.set(g.m.notAfter, float64(t.Unix())) }
