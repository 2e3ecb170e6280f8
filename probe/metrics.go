package probe

import "github.com/prometheus/client_golang/prometheus"

// The names of the time series: renaming one breaks dashboards.
const (
	nameSuccess  = "lqproxy_probe_success"
	nameDuration = "lqproxy_probe_duration_seconds"
	nameAttempts = "lqproxy_probe_attempts"
)

// Metrics are the time series of the background probe. An environment has them
// from its first probe on: before, there is nothing true to say, and a success
// of 0 would raise an alarm. Safe for concurrent use.
type Metrics struct{ success, duration, attempts *prometheus.GaugeVec }

// NewMetrics registers them with reg. It panics if they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		success:  byEnvironment(nameSuccess, "Whether the last background probe reached the platform."),
		duration: byEnvironment(nameDuration, "How long the last background probe took, with its waits."),
		attempts: byEnvironment(nameAttempts, "Attempts that the last background probe made."),
	}
	reg.MustRegister(m.success, m.duration, m.attempts)
	return m
}

func byEnvironment(name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"environment"})
}

// observe takes the outcome of a probe of e.
func (m *Metrics) observe(e Environment, r *Report) {
	attempts := 0
	for _, c := range r.Calls {
		attempts += len(c.Attempts)
	}
	success := 0.0
	if r.Verdict.ExitCode() == 0 {
		success = 1
	}
	m.success.WithLabelValues(string(e)).Set(success)
	m.duration.WithLabelValues(string(e)).Set(r.Took.seconds())
	m.attempts.WithLabelValues(string(e)).Set(float64(attempts))
}

// forget removes the series of e, which is not probed any more.
func (m *Metrics) forget(e Environment) {
	for _, v := range []*prometheus.GaugeVec{m.success, m.duration, m.attempts} {
		v.DeleteLabelValues(string(e))
	}
}
