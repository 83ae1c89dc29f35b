package faults

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/builders"
)

// scenario is a run, what the node does with its pods, and what its user does.
type scenario struct {
	name string
	// objects are what the user creates: the run of that name, and before it what the run needs.
	objects func(run string) []client.Object
	// attempts say what becomes of the pod of each attempt.
	attempts []execution
	// user is what its user does with the run once it exists, one step after the other.
	user []step
	// ends is the outcome when nothing goes wrong.
	ends string
	// orEnds are outcomes that a fault, or a cache that is behind on a busy machine, may lead to.
	orEnds []string
	// refused is a word that the API server takes in no status of the run; empty for most.
	refused string
	// disappears says that the run is gone in the end.
	disappears bool
	// rival says that the run has a rival, which may run only once nothing of the run does.
	rival bool
	// orphans says that the run's Job is to lose its owner.
	orphans bool
}

// rivalOf is the name of the rival of a run.
func rivalOf(run string) string { return run + "-rival" }

// rival waits for the run that holds its concurrency key.
var rival = &scenario{name: "the rival", objects: aRun(sharesKey), attempts: []execution{exits(0)}, ends: "Passed TestPassed after 1"}

func sharesKey(run *builders.TestRunBuilder) { run.Concurrency("environment", "") }

func aRun(change ...func(*builders.TestRunBuilder)) func(string) []client.Object {
	return func(name string) []client.Object {
		run := builders.TestRun(name).Once()
		for _, change := range change {
			change(run)
		}
		return []client.Object{run.Build()}
	}
}

func retrying(failure, disruption int32) func(*builders.TestRunBuilder) {
	return func(run *builders.TestRunBuilder) {
		run.Retry(failure, disruption).Spec.Retry.Backoff.Base.Duration = 0
	}
}

var scenarios = []*scenario{
	{name: "passing", objects: aRun(), attempts: []execution{exits(0)}, ends: "Passed TestPassed after 1"},
	{name: "failing", objects: aRun(), attempts: []execution{exits(3)}, ends: "Failed TestFailed after 1"},
	{
		name: "retried after a failure", objects: aRun(retrying(1, 0)), attempts: []execution{exits(1), exits(0)},
		ends: "Passed TestPassed after 2, flaky",
	},
	{
		name: "retried after a disruption", objects: aRun(retrying(0, 1)), attempts: []execution{evicted, exits(0)},
		ends: "Passed TestPassed after 2",
	},
	{
		name: "drained", objects: aRun(retrying(0, 1)), attempts: []execution{runsForEver, exits(0)}, ends: "Passed TestPassed after 2",
		user: []step{waitsForProgress, evictsPod},
	},
	{
		name: "told to stop by an eviction", objects: aRun(retrying(0, 1)), attempts: []execution{catchesTheStop, exits(0)}, ends: "Passed TestPassed after 2",
		user: []step{waitsForProgress, evictsPod},
	},
	{
		name: "told to stop by a suspended Job", objects: aRun(retrying(0, 1)), attempts: []execution{catchesTheStop, exits(0)}, ends: "Passed TestPassed after 2",
		user: []step{waitsForProgress, suspendsJob},
	},
	{
		name: "told to stop by a deletion", objects: aRun(), attempts: []execution{catchesTheStop}, ends: "Error PodDeleted after 1",
		// If nobody saw it being deleted, it is only known to be gone.
		orEnds: []string{"Error PodLost after 1"},
		user:   []step{waitsForProgress, deletesPod},
	},
	{
		name: "told to stop by timeouts.run", attempts: []execution{catchesTheStop}, ends: "TimedOut RunTimeout after 1",
		objects: aRun(func(run *builders.TestRunBuilder) { run.RunTimeout(2 * time.Second) }),
	},
	{
		name: "told to stop by cancel", objects: aRun(), attempts: []execution{catchesTheStop}, ends: "Cancelled Cancelled after 1",
		user: []step{waitsForProgress, cancels},
	},
	{
		name: "out of retries", objects: aRun(retrying(1, 1)), attempts: []execution{evicted, exits(1), exits(2)},
		ends: "Failed TestFailed after 3",
	},
	{
		name: "cancelled while pending", objects: aRun(), attempts: []execution{fitsNowhere}, ends: "Cancelled Cancelled after 1",
		user: []step{waitsForPod, cancels},
	},
	{
		name: "cancelled while running", objects: aRun(), attempts: []execution{runsForEver}, ends: "Cancelled Cancelled after 1",
		user: []step{waitsForProgress, cancels},
	},
	{
		name: "too slow to start", attempts: []execution{fitsNowhere}, ends: "Error Unschedulable after 1",
		objects: aRun(func(run *builders.TestRunBuilder) { run.StartTimeout(2 * time.Second) }),
		// A cache that is behind shows an earlier step of the start.
		orEnds: []string{"Error StartTimeout after 1"},
	},
	{
		name: "too slow to end", attempts: []execution{runsForEver}, ends: "TimedOut RunTimeout after 1",
		objects: aRun(func(run *builders.TestRunBuilder) { run.RunTimeout(2 * time.Second) }),
	},
	{
		name: "its Test is deleted", attempts: []execution{exits(0)}, ends: "Passed TestPassed after 1",
		objects: func(name string) []client.Object {
			return []client.Object{builders.Test(name, builders.TestSpec("true")), builders.TestRun(name).Of(name).Build()}
		},
		user: []step{waitsForPod, deletesTest},
	},
	{
		name: "its Job is deleted", objects: aRun(), attempts: []execution{runsForEver}, ends: "Error JobDeleted after 1",
		// A cache that still has the Job shows that its pod is being deleted.
		orEnds: []string{"Error PodDeleted after 1"},
		user:   []step{waitsForProgress, deletesJob},
	},
	{
		name: "its pod is deleted", objects: aRun(retrying(0, 1)), attempts: []execution{runsForEver, exits(0)}, ends: "Error PodDeleted after 1",
		// If nobody saw it being deleted, it is only known to be gone, and that is a disruption.
		orEnds: []string{"Passed TestPassed after 2"},
		user:   []step{waitsForProgress, deletesPod},
	},
	{
		// The status that is refused says that the test runs. Its pod is stopped, and then the run can say why.
		name: "refused status", objects: aRun(), attempts: []execution{runsForEver}, ends: "Error StatusRefused after 1", refused: `"reason":"Running"`,
		// A cache that is behind shows that it runs when it has ended, and then nothing of the attempt is stored.
		orEnds: []string{"Error StatusRefused after 0"},
	},
	{
		name: "refused end", objects: aRun(), attempts: []execution{exits(3)}, ends: "Error StatusRefused after 1", refused: `"reason":"TestFailed"`,
		// Nobody may have stored before that the test ran.
		orEnds: []string{"Error StatusRefused after 0"},
	},
	{
		name: "deleted while running", objects: aRun(), attempts: []execution{runsForEver}, ends: "deleted in phase InProgress", disappears: true,
		user: []step{waitsForProgress, deletesRun},
	},
	{
		name: "deleted with its slot", objects: aRun(sharesKey), attempts: []execution{lingers}, ends: "deleted in phase InProgress", disappears: true,
		user: []step{waitsForProgress, createsRival, deletesRun}, rival: true,
	},
	{
		name: "deleted with its slot, and without its Job", objects: aRun(sharesKey), attempts: []execution{lasts}, disappears: true,
		ends: "deleted in phase InProgress", user: []step{waitsForProgress, createsRival, orphansJob, waitsForEndOfPod, deletesJob},
		rival: true, orphans: true,
	},
	{
		name: "deleted after its time to live", attempts: []execution{exits(0)}, ends: "Passed TestPassed after 1", disappears: true,
		objects: aRun(func(run *builders.TestRunBuilder) { run.TTL(0) }),
	},
}
