package testrun

import (
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/lru"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// storedStatuses holds what this process has stored last of each run. Until the cache shows it, every write would be refused as a
// conflict, so such a run is left alone. That only saves requests: nothing goes wrong if a run is looked at too early.
type storedStatuses struct{ runs *lru.Cache }

// storedStatus is the version of the run that a write has made.
type storedStatus struct {
	version string
	at      time.Time
}

func newStoredStatuses() storedStatuses { return storedStatuses{lru.New(remembered)} }

func (s storedStatuses) add(run *v1alpha1.TestRun, version string, now time.Time) {
	s.runs.Add(run.UID, storedStatus{version, now})
}

// left is how much longer to wait for the cache. The wait has an end, because versions go back when etcd is restored from a backup.
func (s storedStatuses) left(run *v1alpha1.TestRun, now time.Time) time.Duration {
	known, ok := s.runs.Get(run.UID)
	if !ok {
		return 0
	}
	stored := known.(storedStatus)
	if order, err := resourceversion.CompareResourceVersion(run.ResourceVersion, stored.version); err != nil || order >= 0 {
		s.runs.Remove(run.UID)
		return 0
	}
	return stored.at.Add(lastRetry).Sub(now)
}
