package queueing

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// Defaults of a TestQueue.
const (
	defaultAgingInterval = 10 * time.Minute
	defaultRatePeriod    = time.Minute
	defaultMaxPriority   = 100
)

// SetQueue takes over the settings of a TestQueue; nil if it does not exist.
func (s *Service) SetQueue(name string, spec *v1alpha1.TestQueueSpec) {
	settings := s.settingsOf(name, spec)
	s.change("", func() {
		before, exists := s.specs[name]
		switch {
		case exists == (spec != nil) && (!exists || equality.Semantic.DeepEqual(before, *spec)):
			return
		case spec != nil:
			s.specs[name] = *spec
		default:
			delete(s.specs, name)
		}
		if spec == nil && name != v1alpha1.DefaultQueue {
			s.engine.RemoveQueue(name)
		} else {
			s.engine.SetQueue(settings)
		}
		s.recountClaims(name)
	})
}

// settingsOf returns the settings of a queue. The queue default exists even without an object.
func (s *Service) settingsOf(name string, spec *v1alpha1.TestQueueSpec) admission.Queue {
	if spec != nil {
		return settingsOf(name, *spec)
	}
	settings := settingsOf(name, v1alpha1.TestQueueSpec{})
	settings.MaxRunning = s.defaultLimit
	return settings
}

// settingsOf fills in the defaults.
func settingsOf(name string, spec v1alpha1.TestQueueSpec) admission.Queue {
	settings := admission.Queue{
		Name:                   name,
		Suspended:              ptr.Deref(spec.Suspend, false),
		MaxRunning:             int(spec.MaxRunning),
		MaxRunningPerNamespace: int(spec.MaxRunningPerNamespace),
		MaxPending:             int(spec.MaxPending),
		MaxPendingPerNamespace: int(spec.MaxPendingPerNamespace),
		MaxPriority:            ptr.To(ptr.Deref(spec.MaxPriority, defaultMaxPriority)),
		DefaultPriority:        ptr.Deref(spec.Priority, 0),
		AgingInterval:          defaultAgingInterval,
		Weights:                make(map[string]int, len(spec.Weights)),
		Namespaces:             make(map[string]bool, len(spec.Namespaces)),
	}
	if spec.AgingInterval != nil {
		settings.AgingInterval = spec.AgingInterval.Duration
	}
	if starts := int(spec.StartRate.Starts); starts > 0 {
		settings.Rate = admission.Rate{Starts: starts, Per: defaultRatePeriod, Burst: starts}
		if spec.StartRate.Per != nil {
			settings.Rate.Per = spec.StartRate.Per.Duration
		}
	}
	for _, namespace := range spec.Namespaces {
		settings.Namespaces[namespace] = true
	}
	for _, weight := range spec.Weights {
		settings.Weights[weight.Namespace] = int(weight.Weight)
	}
	return settings
}
