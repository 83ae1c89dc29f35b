package testrun

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/controllers/testqueue"
	"github.com/testrun-dev/testrun/internal/admission"
)

// withTurn gives the scene what its queue has decided.
func (s *scene) withTurn(turn testqueue.Turn) *scene {
	s.turn = turn
	return s
}

func TestTheQueueDecidesWhatBecomesOfARunThatHasNotStarted(t *testing.T) {
	waits := testqueue.Turn{Wait: testqueue.Wait{Reason: v1alpha1.ReasonQueued, Message: "Waits in queue default"}}
	ends := func(action admission.Action, cause admission.Cause) testqueue.Turn {
		return testqueue.Turn{Action: action, Cause: cause, By: admission.Key{Name: "other"}}
	}
	tests := map[string]struct {
		seen      *scene
		now       time.Duration
		does      string
		says      string
		inFavorOf string
	}{
		"a run whose turn it is starts":           {seen: aRun(), does: "create"},
		"a run that waits for a moment is silent": {seen: aRun().withTurn(waits), now: time.Second},
		"a run that waits for longer says why":    {seen: aRun().withTurn(waits), now: 10 * time.Second, says: "Pending  Queued"},
		"a full queue refuses it":                 {seen: aRun().withTurn(ends(admission.Finish, admission.QueueFull)), says: "Finished Error QueueFull", inFavorOf: "other"},
		"a key that is in use refuses it":         {seen: aRun().withTurn(ends(admission.Finish, admission.Refused)), says: "Finished Cancelled ConcurrencyRefused", inFavorOf: "other"},
		"a duplicate ends":                        {seen: aRun().withTurn(ends(admission.Finish, admission.Duplicate)), says: "Finished Cancelled Duplicate", inFavorOf: "other"},
		"a run that is replaced ends":             {seen: aRun().withTurn(ends(admission.Finish, admission.Replaced)), says: "Finished Cancelled Replaced", inFavorOf: "other"},
		"its params are looked at before":         {seen: aRun(withUnknownParam).withTurn(waits), says: "Finished Error InvalidParams"},
		"cancel goes before":                      {seen: aRun(cancelled).withTurn(waits), says: "Finished Cancelled Cancelled"},
		"a run that is replaced before it ran":    {seen: aRun().withPod(onANode).withTurn(ends(admission.Cancel, admission.Replaced)), does: "stop", says: "Finished Cancelled Replaced", inFavorOf: "other"},
		"a run that is replaced while it runs":    {seen: aRun().withPod(running).withTurn(ends(admission.Cancel, admission.Replaced)), does: "stop", says: "InProgress  Cancelling"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := decide(test.seen.observation, t0.Add(test.now))
			if deed(plan) != test.does || words(plan.state) != test.says {
				t.Errorf("it does %q and says %q, want %q and %q", deed(plan), words(plan.state), test.does, test.says)
			}
			if plan.state != nil && plan.state.inFavorOf != test.inFavorOf {
				t.Errorf("in favor of %q, want %q", plan.state.inFavorOf, test.inFavorOf)
			}
		})
	}
}

func TestWhatStopsARunKeepsInWhoseFavor(t *testing.T) {
	end := endedByQueue(testqueue.Turn{Action: admission.Cancel, Cause: admission.Replaced, By: admission.Key{Name: "other"}})
	if kept := stopRequest(withStopRequest(nil, end)); *kept != *end {
		t.Errorf("it is %+v, want %+v", kept, end)
	}
}

func TestParamsArePutIntoAKey(t *testing.T) {
	params := []corev1.EnvVar{{Name: "TARGET", Value: "$(OTHER)"}, {Name: "OTHER", Value: "x"}}
	for key, want := range map[string]string{
		"plain":                "plain",
		"a-$(TARGET)-$(OTHER)": "a-$(OTHER)-x",
		"$$(TARGET)":           "$(TARGET)",
		"$(UNKNOWN) $TARGET":   "$(UNKNOWN) $TARGET",
	} {
		if got := expand(key, params); got != want {
			t.Errorf("%q becomes %q, want %q", key, got, want)
		}
	}
}

func TestWhereARunWaits(t *testing.T) {
	spec := v1alpha1.Concurrency{Key: "tests", Max: 3}
	tests := map[string]struct {
		change func(*v1alpha1.TestRun)
		want   place
	}{
		"in the queue default": {func(*v1alpha1.TestRun) {}, place{Queue: "default"}},
		"in the test's queue":  {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Queue = "slow" }, place{Queue: "slow"}},
		"in its own queue":     {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Queue, run.Spec.Queue = "slow", "fast" }, place{Queue: "fast"}},
		"with the test's key":  {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Concurrency = spec }, place{Queue: "default", Key: "tests", Max: 3}},
		"with its own key":     {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Concurrency, run.Spec.Concurrency.Key = spec, "own" }, place{Queue: "default", Key: "own", Max: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			seen := aRun(test.change).observation
			got := placeOf(seen, definitionOf(seen))
			if got != test.want {
				t.Errorf("it is %+v, want %+v", got, test.want)
			}
			if kept := placeKept(newJob(seen, firstAttempt), seen.run); kept != got {
				t.Errorf("the Job keeps %+v", kept)
			}
		})
	}
}

func TestThePriorityOfARunIsTheFirstThatIsSet(t *testing.T) {
	s := aRun(func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Priority = ptr.To[int32](3) })
	if entry, ok := waiting(s.observation); !ok || *entry.Priority != 3 {
		t.Errorf("it is %v", entry.Priority)
	}
	s.run.Spec.Priority = ptr.To[int32](0)
	if entry, _ := waiting(s.observation); *entry.Priority != 0 {
		t.Errorf("with one of its own it is %v", *entry.Priority)
	}
}

// Kueue's part: a Job that it holds, has released, or takes away while the test runs.
func TestARunWhoseJobKueueAdmits(t *testing.T) {
	viaKueue := func(run *v1alpha1.TestRun) {
		retrying(0, 1)(run)
		run.Spec.TestSpec.Template.Labels = map[string]string{v1alpha1.LabelKueueQueue: "team-a"}
	}
	held := func(s *scene) *scene {
		s.job.Spec.Suspend = ptr.To(true)
		return s
	}
	preemptedWhileItRan := held(aRun(viaKueue, hasRun).withJob())
	tests := map[string]struct {
		seen *scene
		now  time.Duration
		does string
		says string
	}{
		"waits":                                {held(aRun(viaKueue).withJob()), 10 * time.Second, "", "Pending  WaitingForKueue"},
		"waits however long it takes":          {held(aRun(viaKueue).withJob()), time.Hour, "", "Pending  WaitingForKueue"},
		"can be cancelled":                     {held(aRun(viaKueue, cancelled).withJob()), 0, "stop", "Finished Cancelled Cancelled"},
		"is disrupted when it is preempted":    {preemptedWhileItRan, 0, "stop", "InProgress  Retrying"},
		"is no concern of a Job without label": {held(aRun().withJob()), time.Hour, "stop", "Finished Error StartTimeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := decide(test.seen.observation, t0.Add(test.now))
			if deed(plan) != test.does || words(plan.state) != test.says {
				t.Errorf("it does %q and says %q, want %q and %q", deed(plan), words(plan.state), test.does, test.says)
			}
		})
	}
	released := aRun(viaKueue).withJob()
	released.job.Status.Conditions = append(released.job.Status.Conditions, suspendedUntil(after(time.Hour)))
	if deadline, _ := startDeadline(released.observation); !deadline.Equal(t0.Add(time.Hour + time.Minute)) {
		t.Errorf("timeouts.start is over at %s, want a minute after Kueue has released the Job", deadline)
	}
}

func suspendedUntil(at metav1.Time) (condition batchv1.JobCondition) {
	condition.Type, condition.Status, condition.LastTransitionTime = "Suspended", corev1.ConditionFalse, at
	return condition
}
