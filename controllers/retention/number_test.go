package retention

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

var t0 = time.Date(2026, time.January, 31, 10, 0, 0, 0, time.UTC)

// ran makes a run that finished so many seconds after t0, created an hour before.
func ran(name string, verdict v1alpha1.Verdict, seconds int, change ...func(*v1alpha1.TestRun)) v1alpha1.TestRun {
	run := builders.TestRun(name).Of("suite").Finished(verdict, "").Build()
	end := metav1.NewTime(t0.Add(time.Duration(seconds) * time.Second))
	run.Status.FinishTime, run.CreationTimestamp = &end, metav1.NewTime(t0.Add(-time.Hour))
	for _, change := range change {
		change(run)
	}
	return *run
}

func passed(name string, seconds int, change ...func(*v1alpha1.TestRun)) v1alpha1.TestRun {
	return ran(name, v1alpha1.VerdictPassed, seconds, change...)
}

func pinned(run *v1alpha1.TestRun) {
	run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "true"}
}
func goingAlready(run *v1alpha1.TestRun) { run.DeletionTimestamp = ptr.To(metav1.NewTime(t0)) }
func createdLater(run *v1alpha1.TestRun) { run.CreationTimestamp.Time = t0 }
func hasNotFinished(run *v1alpha1.TestRun) {
	run.Status = v1alpha1.TestRunStatus{Phase: v1alpha1.PhaseInProgress}
}
func withoutAnEnd(run *v1alpha1.TestRun) { run.Status.FinishTime = nil }

func names(runs []*v1alpha1.TestRun) string {
	var names []string
	for _, run := range runs {
		names = append(names, run.Name)
	}
	return strings.Join(names, " ")
}

func TestWhichRunsAreSurplus(t *testing.T) {
	keep := func(passed, notPassed int32) v1alpha1.Keep {
		return v1alpha1.Keep{Passed: &passed, NotPassed: &notPassed}
	}
	tests := map[string]struct {
		keep v1alpha1.Keep
		runs []v1alpha1.TestRun
		want string
	}{
		"no runs":                            {keep(1, 1), nil, ""},
		"fewer than are kept":                {keep(3, 0), []v1alpha1.TestRun{passed("a", 1), passed("b", 2)}, ""},
		"as many as are kept":                {keep(2, 0), []v1alpha1.TestRun{passed("a", 1), passed("b", 2)}, ""},
		"the newest are kept":                {keep(2, 0), []v1alpha1.TestRun{passed("c", 3), passed("a", 1), passed("d", 4), passed("b", 2)}, "a b"},
		"none is kept":                       {keep(0, 0), []v1alpha1.TestRun{passed("b", 2), passed("a", 1)}, "a b"},
		"at the same time by creation":       {keep(1, 0), []v1alpha1.TestRun{passed("a", 1, createdLater), passed("b", 1)}, "b"},
		"created at the same time by name":   {keep(1, 0), []v1alpha1.TestRun{passed("b", 1), passed("a", 1)}, "a"},
		"without a finish time by creation":  {keep(1, 0), []v1alpha1.TestRun{passed("b", -7200), passed("a", 0, withoutAnEnd)}, "b"},
		"pinned ones are kept, not counted":  {keep(1, 0), []v1alpha1.TestRun{passed("a", 1, pinned), passed("b", 2), passed("c", 3), passed("d", 4, pinned)}, "b"},
		"those that go already do not count": {keep(1, 0), []v1alpha1.TestRun{passed("a", 1, goingAlready), passed("b", 2), passed("c", 3, goingAlready)}, ""},
		"those that have not finished":       {keep(0, 0), []v1alpha1.TestRun{passed("a", 1, hasNotFinished), passed("b", 2)}, "b"},
		"those that passed by themselves":    {v1alpha1.Keep{Passed: ptr.To[int32](1)}, []v1alpha1.TestRun{passed("a", 1), passed("b", 2), ran("c", v1alpha1.VerdictFailed, 0), ran("d", v1alpha1.VerdictError, 0)}, "a"},
		"those that did not by themselves":   {v1alpha1.Keep{NotPassed: ptr.To[int32](1)}, []v1alpha1.TestRun{passed("a", 0), passed("b", 0), ran("c", v1alpha1.VerdictFailed, 1), ran("d", v1alpha1.VerdictError, 2)}, "c"},
		"all that did not pass are one kind": {keep(1, 1), []v1alpha1.TestRun{
			ran("a", v1alpha1.VerdictFailed, 1), ran("b", v1alpha1.VerdictError, 2), ran("c", v1alpha1.VerdictTimedOut, 3), ran("d", v1alpha1.VerdictCancelled, 4), passed("e", 0),
		}, "a b c"},
		"keep says nothing": {v1alpha1.Keep{}, []v1alpha1.TestRun{passed("a", 1), ran("b", v1alpha1.VerdictFailed, 1)}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := names(surplus(test.runs, test.keep)); got != test.want {
				t.Errorf("surplus are %q, want %q", got, test.want)
			}
		})
	}
}

// A cache shows some earlier moment: it lacks runs that have finished since, and holds runs that have been deleted since.
// Whatever it shows, the last n of all that ever finished exist, at every moment.
func TestACacheThatIsBehindNeverDeletesOneTooMany(t *testing.T) {
	const all, kept = 40, 5
	keep := v1alpha1.Keep{Passed: ptr.To[int32](kept)}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		var finished, exist []v1alpha1.TestRun
		history, seen := [][]v1alpha1.TestRun{nil}, 0 // what existed after each event, and the last event that the cache saw
		for len(finished) < all {
			if random.IntN(2) == 0 {
				run := passed(fmt.Sprintf("run-%d", len(finished)), random.IntN(all))
				finished, exist = append(finished, run), append(exist, run)
			} else {
				seen += random.IntN(len(history) - seen)
				exist = without(exist, surplus(history[seen], keep))
			}
			history = append(history, slices.Clone(exist))
			if lost := len(without(finished, surplus(finished, keep))) - len(without(exist, surplus(finished, keep))); lost != 0 {
				t.Fatalf("seed %d: after %d runs have finished %d of the last %d are gone", seed, len(finished), lost, kept)
			}
		}
		if exist = without(exist, surplus(exist, keep)); len(exist) != kept {
			t.Errorf("seed %d: %d runs are kept, want %d", seed, len(exist), kept)
		}
	}
}

func without(runs []v1alpha1.TestRun, gone []*v1alpha1.TestRun) []v1alpha1.TestRun {
	return slices.DeleteFunc(slices.Clone(runs), func(run v1alpha1.TestRun) bool {
		return slices.ContainsFunc(gone, func(other *v1alpha1.TestRun) bool { return other.Name == run.Name })
	})
}
