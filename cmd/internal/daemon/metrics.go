package daemon

import (
	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the time series of the whole process. Safe for concurrent use.
type metrics struct {
	upstream    *upstream.Metrics
	proxy       *proxy.Metrics
	certificate *certs.Metrics
	probe       *probe.Metrics

	reloadOK, reloadedAt prometheus.Gauge
	logFailures          *prometheus.CounterVec
	firewall             *prometheus.GaugeVec // by backend; empty while nothing is known
}

// newMetrics returns a registry with everything that lqproxy measures.
func newMetrics(b admin.Build) (*prometheus.Registry, *metrics) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(b),
	)
	up := upstream.NewMetrics(reg)
	m := &metrics{
		upstream:    up,
		proxy:       proxy.NewMetrics(reg, up),
		certificate: certs.NewMetrics(reg),
		probe:       probe.NewMetrics(reg),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lqproxy_config_last_reload_successful",
			Help: "Whether the last reload of the configuration came about; the start counts as one.",
		}),
		reloadedAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lqproxy_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in force was read.",
		}),
		logFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lqproxy_log_write_failures_total",
			Help: "Failed attempts to write a log, and lines dropped, by log.",
		}, []string{"file"}),
		firewall: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lqproxy_firewall_in_sync",
			Help: "Whether the host's firewall admits exactly the sources that were applied; absent while nothing was.",
		}, []string{"backend"}),
	}
	for _, output := range logging.Outputs() {
		m.logFailures.WithLabelValues(output)
	}
	reg.MustRegister(m.reloadOK, m.reloadedAt, m.logFailures, m.firewall)
	return reg, m
}

func buildInfo(b admin.Build) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "lqproxy_build_info",
		Help:        "Always 1; the labels say which program runs.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go_version": b.GoVersion},
	}, func() float64 { return 1 })
}

func (m *metrics) logFailed(output string) { m.logFailures.WithLabelValues(output).Inc() }

func (m *metrics) reloaded(ok bool) {
	if !ok {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadedAt.SetToCurrentTime()
}
