package queueing

import (
	"github.com/prometheus/client_golang/prometheus"
)

var (
	runningDesc = prometheus.NewDesc("testrun_queue_running", "Runs of the queue that run.", []string{"queue"}, nil)
	pendingDesc = prometheus.NewDesc("testrun_queue_pending", "Runs that wait in the queue.", []string{"queue"}, nil)
	delayedDesc = prometheus.NewDesc("testrun_queue_delayed", "Runs of the queue whose runAfter has not come.", []string{"queue"}, nil)
	oldestDesc  = prometheus.NewDesc("testrun_queue_oldest_pending_seconds", "For how long the oldest run has waited in the queue; 0 if none does.",
		[]string{"queue"}, nil)
)

// Describe implements prometheus.Collector.
func (s *Service) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- runningDesc
	descriptions <- pendingDesc
	descriptions <- delayedDesc
	descriptions <- oldestDesc
}

// Collect implements prometheus.Collector. Each scrape shows the queues as they are.
func (s *Service) Collect(metrics chan<- prometheus.Metric) {
	now := s.clock.Now()
	for _, view := range s.views() {
		oldest := 0.0
		if view.Oldest != nil {
			oldest = max(0, now.Sub(*view.Oldest).Seconds())
		}
		for description, value := range map[*prometheus.Desc]float64{
			runningDesc: float64(view.Running), pendingDesc: float64(view.Pending), delayedDesc: float64(view.Delayed),
			oldestDesc: oldest,
		} {
			metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, view.Name)
		}
	}
}
