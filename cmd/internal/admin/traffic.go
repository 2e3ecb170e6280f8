package admin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/proxy"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// ReadTraffic reads the traffic from the time series of package proxy, so that
// the status and the metrics never differ, and from what is known besides.
func ReadTraffic(g prometheus.Gatherer, a proxy.Activity) (Traffic, error) {
	t := Traffic{
		Failures: map[string]int64{}, Failed: a.Failures, LastMinute: a.LastMinute,
		Leqi: Leqi{a.Forbidden, a.IPNotFiled, a.FlowLimited},
	}
	families, err := g.Gather()
	if err != nil {
		return t, fmt.Errorf("gathering metrics: %w", err)
	}
	for _, f := range families {
		t.add(f)
	}
	for i, l := range t.Limits {
		t.Limits[i].LastReached = a.Limits[l.Name]
	}
	slices.SortFunc(t.Limits, func(a, b Limit) int { return strings.Compare(a.Name, b.Name) })
	return t, nil
}

// add takes from f what t shows.
func (t *Traffic) add(f *dto.MetricFamily) {
	switch f.GetName() {
	case "lqproxy_connections_total":
		t.Connections = sum(f)
	case "lqproxy_connections_refused_total":
		t.Refused = sum(f)
	case "lqproxy_exchanges_total":
		t.Exchanges = sum(f)
	case "lqproxy_upstream_forbidden_total":
		t.Forbidden = sum(f)
	case "lqproxy_exchange_failures_total":
		each(f, func(reason string, n int64) {
			if n > 0 {
				t.Failures[reason] = n
			}
		})
	case "lqproxy_limit_current":
		each(f, func(limit string, n int64) { t.limit(limit).Current = n })
	case "lqproxy_limit_capacity":
		each(f, func(limit string, n int64) { t.limit(limit).Capacity = n })
	case "lqproxy_limit_reached_total":
		each(f, func(limit string, n int64) { t.limit(limit).Reached = n })
	}
}

// limit returns the limit of that name, which it adds if need be.
func (t *Traffic) limit(name string) *Limit {
	i := slices.IndexFunc(t.Limits, func(l Limit) bool { return l.Name == name })
	if i < 0 {
		i = len(t.Limits)
		t.Limits = append(t.Limits, Limit{Name: name})
	}
	return &t.Limits[i]
}

func sum(f *dto.MetricFamily) (total int64) {
	each(f, func(_ string, n int64) { total += n })
	return total
}

// each calls do with the first label and the value of each time series.
func each(f *dto.MetricFamily, do func(label string, n int64)) {
	for _, m := range f.GetMetric() {
		label := ""
		if len(m.GetLabel()) > 0 {
			label = m.GetLabel()[0].GetValue()
		}
		do(label, int64(m.GetCounter().GetValue()+m.GetGauge().GetValue()))
	}
}
