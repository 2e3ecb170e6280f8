package certs

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// nameNotAfter is the name of the time series: renaming it breaks dashboards.
const nameNotAfter = "lqproxy_listener_certificate_not_after_timestamp_seconds"

// Metrics is the end of the listener's certificate as a time series. It is
// there only while a certificate is: a 0 would read as expired since 1970.
// Safe for concurrent use.
type Metrics struct {
	desc  *prometheus.Desc
	shown atomic.Pointer[Files]
}

// NewMetrics registers the time series with reg. It panics if it is registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{desc: prometheus.NewDesc(nameNotAfter, "When the listener's certificate expires.", nil, nil)}
	reg.MustRegister(m)
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) { out <- m.desc }

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	if f := m.shown.Load(); f != nil {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, float64(f.Leaf().NotAfter.Unix()))
	}
}

func (m *Metrics) show(f *Files) { m.shown.Store(f) }

// hide takes f's certificate away, unless another's is shown by now.
func (m *Metrics) hide(f *Files) { m.shown.CompareAndSwap(f, nil) }
