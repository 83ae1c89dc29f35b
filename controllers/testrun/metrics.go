package testrun

import (
	"github.com/prometheus/client_golang/prometheus"
	toolscache "k8s.io/client-go/tools/cache"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// Metrics are the controller's metrics of runs, beside those of controller-runtime. No label holds the name of an object.
type Metrics struct {
	finished *prometheus.CounterVec
	flaky    prometheus.Counter
	waiting  prometheus.Histogram
	running  prometheus.Histogram
	runs     *prometheus.GaugeVec
	noRunner prometheus.Counter
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "testrun_runs_finished_total",
			Help: "Runs that finished, by verdict: Passed, Failed, Error, TimedOut or Cancelled.",
		}, []string{"verdict"}),
		flaky: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_runs_flaky_total",
			Help: "Runs that passed after their test had failed in an earlier attempt.",
		}),
		waiting: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "testrun_run_waiting_seconds",
			Help:    "Time from the creation of a run until its test's container ran.",
			Buckets: prometheus.ExponentialBuckets(0.5, 2, 14),
		}),
		running: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "testrun_run_running_seconds",
			Help:    "Time that the test's container of a finished run ran.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 14),
		}),
		runs: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "testrun_runs",
			Help: "Runs that exist, by phase: Pending, InProgress or Finished.",
		}, []string{"phase"}),
		noRunner: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_runner_image_pull_failures_total",
			Help: "Attempts that waited because the runner's image could not be pulled.",
		}),
	}
	registry.MustRegister(m.finished, m.flaky, m.waiting, m.running, m.runs, m.noRunner)
	for _, phase := range v1alpha1.Phases {
		m.runs.WithLabelValues(string(phase))
	}
	return m
}

// observe counts a transition from the run's stored status to the next one.
func (m *Metrics) observe(run *v1alpha1.TestRun, next v1alpha1.TestRunStatus) {
	if run.Status.StartTime == nil && next.StartTime != nil {
		m.waiting.Observe(max(0, next.StartTime.Sub(run.CreationTimestamp.Time).Seconds()))
	}
	if reason := lifecycle.CurrentReason(next); reason == v1alpha1.ReasonRunnerImagePullFailed && reason != lifecycle.CurrentReason(run.Status) {
		m.noRunner.Inc()
	}
	if next.Phase != v1alpha1.PhaseFinished {
		return
	}
	m.finished.WithLabelValues(string(next.Verdict)).Inc()
	if next.Flaky != nil {
		m.flaky.Inc()
	}
	if next.Duration != nil {
		m.running.Observe(next.Duration.Seconds())
	}
}

// phaseCounter counts the runs by phase as the cache sees them, so that a scrape costs nothing.
func (m *Metrics) phaseCounter() toolscache.ResourceEventHandler {
	add := func(obj any, n float64) {
		if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if run, ok := obj.(*v1alpha1.TestRun); ok {
			m.runs.WithLabelValues(string(run.Status.Phase)).Add(n)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { add(obj, 1) },
		UpdateFunc: func(before, after any) { add(before, -1); add(after, 1) },
		DeleteFunc: func(obj any) { add(obj, -1) },
	}
}
