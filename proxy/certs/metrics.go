package certs

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the time series: renaming them breaks dashboards.
const (
	nameNotAfter = "lqproxy_listener_certificate_not_after_timestamp_seconds"
	nameRenewal  = "lqproxy_listener_certificate_renewal_timestamp_seconds"
	nameFailed   = "lqproxy_listener_certificate_renewal_failed"
)

// Metrics are the state of the listener's certificate as time series. They are
// there only while a certificate is: a 0 would read as expired since 1970.
// Safe for concurrent use.
type Metrics struct {
	notAfter, renewal, failed *prometheus.Desc
	shown                     atomic.Pointer[current]
}

// NewMetrics registers the time series with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		notAfter: prometheus.NewDesc(nameNotAfter, "When the listener's certificate expires.", nil, nil),
		renewal: prometheus.NewDesc(nameRenewal,
			"From when on a newer certificate should take the place of the listener's; none while it is signed by nobody.", nil, nil),
		failed: prometheus.NewDesc(nameFailed,
			"Whether the listener's certificate could not be replaced: its files were refused, or the authority gave none.", nil, nil),
	}
	reg.MustRegister(m)
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.notAfter
	out <- m.renewal
	out <- m.failed
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	c := m.shown.Load()
	if c == nil {
		return
	}
	s := c.State()
	failed := 0.0
	if s.Problem != nil {
		failed = 1
	}
	out <- prometheus.MustNewConstMetric(m.notAfter, prometheus.GaugeValue, float64(s.NotAfter.Unix()))
	if due := s.Renewal(); !due.IsZero() {
		out <- prometheus.MustNewConstMetric(m.renewal, prometheus.GaugeValue, float64(due.Unix()))
	}
	out <- prometheus.MustNewConstMetric(m.failed, prometheus.GaugeValue, failed)
}

func (m *Metrics) show(c *current) { m.shown.Store(c) }

// hide takes c's certificate away, unless another's is shown by now.
func (m *Metrics) hide(c *current) { m.shown.CompareAndSwap(c, nil) }
