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
	deleted    *prometheus.CounterVec
	unarchived prometheus.Counter
	waiting    func() int
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		waiting: func() int { return 0 },
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_runs_deleted_total",
			Help: "Runs that retention deleted, by cause: ttl, their age, or keep, their number.",
		}, []string{"cause"}),
		unarchived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_runs_deleted_unarchived_total",
			Help: "Runs that retention deleted although the archive had not stored how they ended: they had waited long enough.",
		}),
	}
	registry.MustRegister(m.deleted, m.unarchived, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "testrun_retention_waiting_for_archive",
		Help: "What waits until the archive has stored how runs ended: runs that are due by age, and Tests that have runs due by number.",
	}, func() float64 { return float64(m.waiting()) }))
	for _, cause := range []cause{causeTTL, causeKeep} {
		m.deleted.WithLabelValues(string(cause))
	}
	return m
}
