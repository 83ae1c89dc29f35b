package controller

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// New runs are started in turns, with no deletions and with deletions at the default pace. The rest is then deleted as fast as
// it goes.
func TestOfAThousandRunsTheLastTenRemainAndNewOnesStartMeanwhile(t *testing.T) {
	const finished, kept, everyPinned = 1000, 10, 100
	w := newWorldAlone(t)
	w.suite(v1alpha1.Retention{})
	remain := w.storeMany(finished, func(i int) *builders.TestRunBuilder {
		if i%everyPinned == 0 {
			return pinned(ofSuite(fmt.Sprintf("run-%04d", i)))
		}
		return ofSuite(fmt.Sprintf("run-%04d", i))
	}, func(i int) bool { return i%everyPinned == 0 || i >= finished-kept })
	w.adjust = func(options *controllers.Options) { options.DeletionsPerSecond = 10 }
	stop := w.startController()
	starts := w.watchJobs()
	starts.measure(5) // the caches are filled now

	var without, meanwhile []time.Duration
	for range 10 {
		w.retain(v1alpha1.Retention{})
		without = append(without, starts.measure(5)...)
		before := w.deletions()
		w.retain(keep(kept, 0))
		w.WaitFor("the deletion goes on", func() bool { return w.deletions() > before })
		meanwhile = append(meanwhile, starts.measure(5)...)
	}
	stop()
	deleted := w.deletions()
	t.Logf("from the creation of a run to its Job, in the median: %s without deletions, %s while %v runs were deleted: ratio %.2f",
		median(without), median(meanwhile), deleted, median(meanwhile).Seconds()/median(without).Seconds())

	w.Must(w.Client.DeleteAllOf(w.Ctx, &v1alpha1.TestRun{}, client.InNamespace(w.Namespace), client.MatchingFields{"status.phase": string(v1alpha1.PhasePending)}))
	w.adjust = func(options *controllers.Options) { options.DeletionsPerSecond = 1000 }
	w.startController()
	// A deletion that was under way when the controller stopped is not counted by anybody: so the runs are.
	w.WaitForWithin(4*w.Patience, "all that are surplus are deleted", func() bool {
		list := &v1alpha1.TestRunList{}
		w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace), client.MatchingFields{"status.phase": string(v1alpha1.PhaseFinished)}))
		return len(list.Items) <= len(remain)
	})
	w.waitForOnly(remain...)
}

// storeMany stores so many runs that passed, each later than the one before, and returns the names of those that remain.
func (w *world) storeMany(n int, run func(int) *builders.TestRunBuilder, remains func(int) bool) []string {
	w.T.Helper()
	var names []string
	var writers sync.WaitGroup
	for first := range 16 {
		writers.Go(func() {
			for i := first; i < n; i += 16 {
				w.store(run(i), v1alpha1.VerdictPassed, time.Duration(n-i)*time.Minute)
			}
		})
	}
	writers.Wait()
	for i := range n {
		if remains(i) {
			names = append(names, run(i).Name)
		}
	}
	return names
}

func (w *world) deletions() float64 { return w.metric("testrun_runs_deleted_total", "keep") }

// starts tells how long runs take to get their Job.
type starts struct {
	*world
	jobs watch.Interface
	n    int
}

func (w *world) watchJobs() *starts {
	w.T.Helper()
	jobs, err := apiserver.Client.Watch(w.Ctx, &batchv1.JobList{}, client.InNamespace(w.Namespace))
	w.Must(err)
	w.T.Cleanup(jobs.Stop)
	return &starts{world: w, jobs: jobs}
}

// measure starts so many runs, one after the other, and returns how long each took.
func (s *starts) measure(n int) []time.Duration {
	s.T.Helper()
	var took []time.Duration
	for range n {
		s.n++
		run, start := fmt.Sprintf("new-%d", s.n), time.Now()
		s.Create(ofSuite(run).Build())
		for event := range s.jobs.ResultChan() {
			if job, ok := event.Object.(*batchv1.Job); ok && job.Labels[v1alpha1.LabelRun] == run {
				break
			}
		}
		took = append(took, time.Since(start))
	}
	return took
}

func median(took []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(took))[len(took)/2].Round(100 * time.Microsecond)
}
