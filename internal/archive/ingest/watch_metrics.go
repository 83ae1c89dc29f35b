package ingest

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/testrun-dev/testrun/internal/archive"
)

// WatchMetrics are those of a Watch.
type WatchMetrics struct {
	events        *prometheus.CounterVec
	states        prometheus.Counter
	deleted       prometheus.Counter
	interruptions prometheus.Counter
	comparisons   prometheus.Counter
	duration      prometheus.Histogram
	// behind is since when something has happened that is not stored; nil if nothing has.
	behind atomic.Pointer[time.Time]
}

// NewWatchMetrics makes and registers the metrics.
func NewWatchMetrics(registerer prometheus.Registerer) *WatchMetrics {
	m := &WatchMetrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_archive_watch_events_total", Help: "Events of TestRuns that the API server has sent, by type.",
		}, []string{"type"}),
		states: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_states_stored_total", Help: "States of TestRuns that were stored.",
		}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_deletions_found_total", Help: "Runs that a comparison with all TestRuns found to be deleted.",
		}),
		interruptions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_watch_errors_total", Help: "Errors that interrupted the watch of TestRuns. It goes on from where it was.",
		}),
		comparisons: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_comparisons_total", Help: "How often all TestRuns were compared with what is kept.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "testrun_archive_batch_duration_seconds", Help: "How long it took to store a batch of states.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
	lag := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "testrun_archive_watch_lag_seconds",
		Help: "For how long something has happened to TestRuns that is not stored, or may have. 0 in a replica that does not watch.",
	}, m.lag)
	registerer.MustRegister(m.events, m.states, m.deleted, m.interruptions, m.comparisons, m.duration, lag)
	return m
}

func (m *WatchMetrics) lag() float64 {
	if since := m.behind.Load(); since != nil {
		return time.Since(*since).Seconds()
	}
	return 0
}

func (m *WatchMetrics) received(event watch.EventType) {
	m.events.WithLabelValues(strings.ToLower(string(event))).Inc()
	m.fallBehind()
}

func (m *WatchMetrics) interrupted() {
	m.interruptions.Inc()
	m.fallBehind()
}

func (m *WatchMetrics) fallBehind() {
	now := time.Now()
	m.behind.CompareAndSwap(nil, &now)
}

func (m *WatchMetrics) caughtUp() { m.behind.Store(nil) }

func (m *WatchMetrics) compared() { m.comparisons.Inc() }

func (m *WatchMetrics) gone(runs int) { m.deleted.Add(float64(runs)) }

func (m *WatchMetrics) stored(batch archive.Batch, took time.Duration) {
	m.states.Add(float64(len(batch.Runs)))
	m.duration.Observe(took.Seconds())
	if batch.Cursor != "" {
		m.caughtUp()
	}
}
