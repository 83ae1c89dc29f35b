package retention

import "github.com/prometheus/client_golang/prometheus"

// cause is why a run is deleted.
type cause string

const (
	causeTTL  cause = "ttl"
	causeKeep cause = "keep"
)

// Metrics are what the controllers publish.
type Metrics struct {
	deleted *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_runs_deleted_total",
			Help: "Runs that retention deleted, by cause: ttl, their age, or keep, their number.",
		}, []string{"cause"}),
	}
	registry.MustRegister(m.deleted)
	for _, cause := range []cause{causeTTL, causeKeep} {
		m.deleted.WithLabelValues(string(cause))
	}
	return m
}
