package queues

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/history"
)

// count is how many runs ran at once, as the history of runs and Jobs tells it: a run does from the moment its first Job was
// created until its status says Finished, or it is deleted.
type count struct {
	limits map[string]int
	// most and now are by what limits it.
	most, now map[string]int
	broken    []string
}

// limitsOf says what the run counts for, as a name in limits: its queue, its namespace in it, its concurrency key.
func limitsOf(run *v1alpha1.TestRun) []string {
	names := []string{run.Spec.Queue, run.Spec.Queue + " of a namespace/" + run.Namespace}
	if key := run.Spec.Concurrency.Key; key != "" {
		names = append(names, "key/"+run.Namespace+"/"+key)
	}
	return names
}

// countRunning counts through the whole history. A limit is for a name, or for all that have it before a slash.
func countRunning(all []history.Entry, limits map[string]int) *count {
	c := &count{limits: limits, most: map[string]int{}, now: map[string]int{}}
	runs, running, ended := map[types.UID]*v1alpha1.TestRun{}, map[types.UID]bool{}, map[types.UID]bool{}
	for _, entry := range all {
		switch object := entry.Object.(type) {
		case *v1alpha1.TestRun:
			runs[object.UID] = object
			if !ended[object.UID] && (entry.Change == watch.Deleted || object.Status.Phase == v1alpha1.PhaseFinished) {
				ended[object.UID] = true
				if running[object.UID] {
					c.add(object, -1, entry.Revision)
				}
			}
		case *batchv1.Job:
			owner := metav1.GetControllerOf(object)
			switch {
			case entry.Change != watch.Added:
			case owner == nil || runs[owner.UID] == nil:
				c.broken = append(c.broken, fmt.Sprintf("revision %d: Job %s is of no run", entry.Revision, object.Name))
			case ended[owner.UID]:
				c.broken = append(c.broken, fmt.Sprintf("revision %d: run %s has ended, and gets Job %s", entry.Revision, owner.Name, object.Name))
			case !running[owner.UID]:
				running[owner.UID] = true
				c.add(runs[owner.UID], 1, entry.Revision)
			}
		}
	}
	return c
}

func (c *count) add(run *v1alpha1.TestRun, n int, revision int64) {
	for _, name := range limitsOf(run) {
		c.now[name] += n
		kind, _, _ := strings.Cut(name, "/")
		c.most[kind] = max(c.most[kind], c.now[name])
		if limit := c.limits[kind]; limit > 0 && n > 0 && c.now[name] > limit {
			c.broken = append(c.broken, fmt.Sprintf("revision %d: with run %s %d of %d run of %s", revision, run.Name, c.now[name], limit, name))
		}
	}
}
