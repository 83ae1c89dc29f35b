package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/testrun-dev/testrun/internal/archive"
)

// pushMetrics are those of a Push. Their labels have few values, whatever is pushed.
type pushMetrics struct {
	bytes, blobBytes *prometheus.CounterVec
	cases            prometheus.Counter
	refusals         *prometheus.CounterVec
	duration         *prometheus.HistogramVec
}

func newPushMetrics(registerer prometheus.Registerer) *pushMetrics {
	m := &pushMetrics{
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_archive_pushed_bytes_total", Help: "Bytes that runners pushed and that are kept, before compression, by kind of stream.",
		}, []string{"kind"}),
		blobBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_archive_pushed_blob_bytes_total", Help: "Bytes that runners pushed and that are kept, compressed, by kind of stream.",
		}, []string{"kind"}),
		cases: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_pushed_cases_total", Help: "Lines of cases that runners pushed and that are kept.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_archive_pushes_refused_total", Help: "Pushes that were refused, by reason.",
		}, []string{"reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "testrun_archive_push_duration_seconds", Help: "How long a push took, by what was pushed.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"what"}),
	}
	for _, reason := range []string{
		reasonInvalid, reasonTooLarge, reasonBrokeOff, reasonUnauthorized, reasonForbidden, reasonBusy, reasonLimit, reasonReadOnly, reasonUnavailable,
	} {
		m.refusals.WithLabelValues(reason)
	}
	registerer.MustRegister(m.bytes, m.blobBytes, m.cases, m.refusals, m.duration)
	return m
}

func (m *pushMetrics) kept(chunk archive.NewChunk, packed int) {
	m.bytes.WithLabelValues(string(chunk.Stream.Kind)).Add(float64(len(chunk.Data)))
	m.blobBytes.WithLabelValues(string(chunk.Stream.Kind)).Add(float64(packed))
	m.cases.Add(float64(len(chunk.Cases)))
}

func (m *pushMetrics) refused(reason string) { m.refusals.WithLabelValues(reason).Inc() }

func (m *pushMetrics) took(what string, time time.Duration) {
	m.duration.WithLabelValues(what).Observe(time.Seconds())
}
