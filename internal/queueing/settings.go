package queueing

import (
	"maps"
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

// settings are those of a TestQueue that exists.
type settings struct {
	spec v1alpha1.TestQueueSpec
	// namespaces are those that may use it; none for all.
	namespaces map[string]bool
}

// SetQueue takes over the settings of a TestQueue; nil if it does not exist.
func (q *Service) SetQueue(name string, spec *v1alpha1.TestQueueSpec) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before, exists := q.settings[name]
	if exists == (spec != nil) && (!exists || equality.Semantic.DeepEqual(before.spec, *spec)) {
		return
	}
	q.setQueue(name, spec)
	q.decide()
}

// setQueue takes over the settings of a TestQueue; nil if it does not exist. Who waits in it is reported anew, since which
// namespaces may use it can have changed.
func (q *Service) setQueue(name string, spec *v1alpha1.TestQueueSpec) {
	delete(q.settings, name)
	switch {
	case spec != nil:
		taken := settings{spec: *spec, namespaces: make(map[string]bool, len(spec.Namespaces))}
		for _, namespace := range spec.Namespaces {
			taken.namespaces[namespace] = true
		}
		q.settings[name] = taken
		delete(q.missing, name)
		q.engine.SetQueue(settingsOf(name, *spec))
	case name == v1alpha1.DefaultQueue:
		settings := settingsOf(name, v1alpha1.TestQueueSpec{})
		settings.MaxRunning = q.defaultLimit
		q.engine.SetQueue(settings)
	default:
		q.engine.RemoveQueue(name)
		q.noteMissing(name)
	}
	q.recountClaims(name)
	for uid := range maps.Clone(q.waitingIn[name]) {
		q.setRun(q.waiting[uid])
	}
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
		AgeingInterval:         defaultAgingInterval,
		Weights:                make(map[string]int, len(spec.Weights)),
	}
	if spec.AgingInterval != nil {
		settings.AgeingInterval = spec.AgingInterval.Duration
	}
	if starts := int(spec.StartRate.Starts); starts > 0 {
		settings.Rate = admission.Rate{Starts: starts, Per: defaultRatePeriod, Burst: starts}
		if spec.StartRate.Per != nil {
			settings.Rate.Per = spec.StartRate.Per.Duration
		}
	}
	for _, weight := range spec.Weights {
		settings.Weights[weight.Namespace] = int(weight.Weight)
	}
	return settings
}
