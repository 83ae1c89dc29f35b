package jobtable

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Metrics are the figures of the tables. Their label is the name of a JobTable: as with queues, somebody who administers a namespace makes
// those, and there are few.
type Metrics struct {
	pending, inProgress, lag, ready *prometheus.GaugeVec
	created, ended                  *prometheus.CounterVec
	looks                           *prometheus.HistogramVec
}

// NewMetrics makes and registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "testrun_jobtable_" + name, Help: help}, []string{"jobtable"})
	}
	m := &Metrics{
		pending:    gauge("pending_rows", "Rows that are pending."),
		inProgress: gauge("in_progress_rows", "Rows that are in progress."),
		lag:        gauge("lag_seconds", "For how long the first pending row has waited."),
		ready:      gauge("ready", "1 if rows become runs, 0 if something keeps them from it."),
		created: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "testrun_jobtable_runs_created_total", Help: "Runs that were made of rows."},
			[]string{"jobtable"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "testrun_jobtable_rows_ended_total", Help: "Rows that were written as finished, by verdict."},
			[]string{"jobtable", "verdict"}),
		looks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "testrun_jobtable_look_seconds", Help: "How long a look at a table takes.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14),
		}, []string{"jobtable"}),
	}
	registry.MustRegister(m.pending, m.inProgress, m.lag, m.ready, m.created, m.ended, m.looks)
	return m
}

func (m *Metrics) show(name string, status *v1alpha1.JobTableStatus, now time.Time) {
	if status.Pending != nil {
		m.pending.WithLabelValues(name).Set(float64(*status.Pending))
	}
	if status.InProgress != nil {
		m.inProgress.WithLabelValues(name).Set(float64(*status.InProgress))
	}
	lag := 0.0
	if status.OldestPending != nil {
		lag = max(0, now.Sub(status.OldestPending.Time).Seconds())
	}
	m.lag.WithLabelValues(name).Set(lag)
	ready := 0.0
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		ready = 1
	}
	m.ready.WithLabelValues(name).Set(ready)
}

// forget drops the figures of a JobTable that is gone.
func (m *Metrics) forget(name string) {
	labels := prometheus.Labels{"jobtable": name}
	for _, gauges := range []*prometheus.GaugeVec{m.pending, m.inProgress, m.lag, m.ready} {
		gauges.DeletePartialMatch(labels)
	}
	m.created.DeletePartialMatch(labels)
	m.ended.DeletePartialMatch(labels)
	m.looks.DeletePartialMatch(labels)
}
