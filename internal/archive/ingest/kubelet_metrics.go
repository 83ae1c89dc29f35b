package ingest

import "github.com/prometheus/client_golang/prometheus"

// KubeletMetrics are those of KubeletLogs.
type KubeletMetrics struct {
	bytes   prometheus.Counter
	missing prometheus.Counter
}

// NewKubeletMetrics makes and registers the metrics.
func NewKubeletMetrics(registerer prometheus.Registerer) *KubeletMetrics {
	m := &KubeletMetrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_kubelet_log_bytes_total", Help: "Bytes of output that were read from pods' logs, since they were not pushed.",
		}),
		missing: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_attempts_with_missing_output_total", Help: "Attempts of whose output something is missing for good.",
		}),
	}
	registerer.MustRegister(m.bytes, m.missing)
	return m
}

func (m *KubeletMetrics) kept(bytes int) { m.bytes.Add(float64(bytes)) }

func (m *KubeletMetrics) notRead() { m.missing.Inc() }
