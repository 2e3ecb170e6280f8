package proxy

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
)

// The values of label limit.
const (
	limitConnections = "connections"
	limitExchanges   = "exchanges"
	limitQueue       = "queue"
)

// other is the value of labels for what is not in a closed set.
const other = "other"

// Metrics are the time series of the data plane. Made once for a process; safe
// for concurrent use.
type Metrics struct {
	Upstream *upstream.Metrics

	connections prometheus.Counter
	refused     map[Reason]prometheus.Counter
	failures    map[Reason]prometheus.Counter
	forbidden   prometheus.Counter
	received    prometheus.Counter
	sent        prometheus.Counter
	durations   []prometheus.Observer // by leqi.Environment
	exchanges   cells[exchangeLabels]
	answers     cells[answerLabels]
	capacity    *prometheus.GaugeVec
	reached     map[string]prometheus.Counter

	server atomic.Pointer[Server] // whose limits are shown
}

type exchangeLabels struct {
	environment leqi.Environment
	service     string
	status      int
}

type answerLabels struct {
	environment         leqi.Environment
	ability, unit, code string
}

// NewMetrics registers the time series with reg. Closed small sets start at
// zero, so that the first failure is visible to rate().
func NewMetrics(reg prometheus.Registerer, up *upstream.Metrics) *Metrics {
	m := &Metrics{Upstream: up}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	m.connections = counter("lqproxy_connections_total", "Connections that were admitted.")
	m.forbidden = counter("lqproxy_upstream_forbidden_total", "Answers 403 of the upstream.")
	m.received = counter("lqproxy_request_bytes_total", "Bytes of requests, heads and decoded bodies.")
	m.sent = counter("lqproxy_response_bytes_total", "Bytes written to callers.")
	m.refused = byReason(vec("lqproxy_connections_refused_total", "Connections that were refused, by reason.", "reason"), connectionReasons)
	m.failures = byReason(vec("lqproxy_exchange_failures_total", "Exchanges that did not end with the upstream's whole answer, by reason.", "reason"), exchangeReasons())
	m.exchanges.init(vec("lqproxy_exchanges_total", "Exchanges, by the status that the caller got.", "environment", "service", "code"), exchangeLabels.values)
	m.answers.init(vec("lqproxy_leqi_answers_total", "Answers of the upstream, by the platform's own code.", "environment", "ability", "unit", "leqi_code"), answerLabels.values)
	m.registerDurations(reg)
	m.registerLimits(reg, vec)
	return m
}

func byReason(v *prometheus.CounterVec, reasons []Reason) map[Reason]prometheus.Counter {
	counters := make(map[Reason]prometheus.Counter, len(reasons))
	for _, r := range reasons {
		counters[r] = v.WithLabelValues(string(r))
	}
	return counters
}

// exchangeReasons are those that an exchange can end with.
func exchangeReasons() []Reason {
	var reasons []Reason
	for _, r := range Reasons {
		if r.Status() != 0 {
			reasons = append(reasons, r)
		}
	}
	return reasons
}

func (m *Metrics) registerDurations(reg prometheus.Registerer) {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "lqproxy_exchange_duration_seconds",
		Help:    "Time from the first byte of a request to the last of its answer.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 120},
	}, []string{"environment"})
	reg.MustRegister(v)
	for _, e := range leqi.Environments {
		m.durations = append(m.durations, v.WithLabelValues(e.String()))
	}
}

func (m *Metrics) registerLimits(reg prometheus.Registerer, vec func(name, help string, labels ...string) *prometheus.CounterVec) {
	m.capacity = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "lqproxy_limit_capacity",
		Help: "How much of a limited thing there may be.",
	}, []string{"limit"})
	reached := vec("lqproxy_limit_reached_total", "How often somebody was refused, or had to wait, for a limit.", "limit")
	m.reached = make(map[string]prometheus.Counter)
	reg.MustRegister(m.capacity, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lqproxy_connections_open",
		Help: "Connections of callers that are open.",
	}, func() float64 { return m.usage(limitConnections) }))
	for _, limit := range []string{limitConnections, limitExchanges, limitQueue} {
		m.reached[limit] = reached.WithLabelValues(limit)
		m.capacity.WithLabelValues(limit)
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "lqproxy_limit_current",
			Help:        "How much of a limited thing there is.",
			ConstLabels: prometheus.Labels{"limit": limit},
		}, func() float64 { return m.usage(limit) }))
	}
}

// usage returns how much of a limit is used at the moment.
func (m *Metrics) usage(limit string) float64 {
	s := m.server.Load()
	if s == nil {
		return 0
	}
	taken, waiting := s.slots.usage()
	switch limit {
	case limitConnections:
		return float64(s.connections())
	case limitExchanges:
		return float64(taken)
	}
	return float64(waiting)
}

// setLimits shows the limits in force. Everybody who is connected may queue.
func (m *Metrics) setLimits(l Limits) {
	m.capacity.WithLabelValues(limitConnections).Set(float64(l.Connections))
	m.capacity.WithLabelValues(limitExchanges).Set(float64(l.Exchanges))
	m.capacity.WithLabelValues(limitQueue).Set(float64(l.Connections))
}

// record counts a finished exchange.
func (m *Metrics) record(x *exchange) {
	environment := x.call.Environment
	m.exchanges.at(exchangeLabels{environment, x.call.Service, x.loggedStatus()}).Inc()
	m.durations[environment].Observe(time.Since(x.began).Seconds())
	m.received.Add(float64(x.received))
	m.sent.Add(float64(x.out.written))
	if x.failure.failed() {
		m.failures[x.failure.reason].Inc()
	}
	if !x.answered {
		return
	}
	m.answers.at(answerLabels{environment, x.call.Ability, x.unitName(), x.code}).Inc()
	if x.res.Status == 403 {
		m.forbidden.Inc()
	}
}

// unitName returns the configured name of the request's access unit.
func (x *exchange) unitName() string {
	if id, n := x.req.Value(leqi.FieldUnit); n == 1 {
		if name, ok := x.l.unitNames[string(id)]; ok {
			return name
		}
	}
	return other
}

func (l exchangeLabels) values() []string {
	return []string{l.environment.String(), orOther(l.service), strconv.Itoa(l.status)}
}

func (l answerLabels) values() []string {
	return []string{l.environment.String(), orOther(l.ability), l.unit, orOther(l.code)}
}

func orOther(s string) string {
	if s == "" {
		return other
	}
	return s
}

// cells finds the counter of a set of labels without building their strings
// each time. The sets are closed, so the map stops growing. Safe for
// concurrent use.
type cells[K comparable] struct {
	vec    *prometheus.CounterVec
	values func(K) []string
	mu     sync.Mutex // serialises additions
	byKey  atomic.Pointer[map[K]prometheus.Counter]
}

func (c *cells[K]) init(vec *prometheus.CounterVec, values func(K) []string) {
	c.vec, c.values = vec, values
	c.byKey.Store(&map[K]prometheus.Counter{})
}

// at returns the counter of key.
func (c *cells[K]) at(key K) prometheus.Counter {
	if counter, ok := (*c.byKey.Load())[key]; ok {
		return counter
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	grown := maps.Clone(*c.byKey.Load())
	grown[key] = c.vec.WithLabelValues(c.values(key)...)
	c.byKey.Store(&grown)
	return grown[key]
}
