package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// withTurn adds what the run's queue has decided.
func (s *scene) withTurn(turn admission.Turn) *scene {
	s.Turn = turn
	return s
}

func TestTheQueueDecidesWhatBecomesOfARunThatHasNotStarted(t *testing.T) {
	waits := admission.Turn{Wait: admission.Pending{Reason: v1alpha1.ReasonQueued, Message: "Waits in queue default"}}
	ends := func(action admission.Action, cause admission.Cause) admission.Turn {
		return admission.Turn{Action: action, Cause: cause, By: admission.Key{Name: "other"}}
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
		"so many of its namespace wait":           {seen: aRun().withTurn(ends(admission.Finish, admission.NamespaceFull)), says: "Finished Error QueueFull", inFavorOf: "other"},
		"its params are looked at before":         {seen: aRun(withUnknownParam).withTurn(waits), says: "Finished Error InvalidParams"},
		"cancel goes before":                      {seen: aRun(cancelled).withTurn(waits), says: "Finished Cancelled Cancelled"},
		"a run that is replaced before it ran":    {seen: aRun().withPod(onANode).withTurn(ends(admission.Cancel, admission.Replaced)), does: "stop", says: "Finished Cancelled Replaced", inFavorOf: "other"},
		"a run that is replaced while it runs":    {seen: aRun().withPod(running).withTurn(ends(admission.Cancel, admission.Replaced)), does: "stop", says: "InProgress  Cancelling"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(test.now))
			if deed(plan) != test.does || words(plan.State) != test.says {
				t.Errorf("it does %q and says %q, want %q and %q", deed(plan), words(plan.State), test.does, test.says)
			}
			if plan.State != nil && plan.State.InFavorOf != test.inFavorOf {
				t.Errorf("in favor of %q, want %q", plan.State.InFavorOf, test.inFavorOf)
			}
		})
	}
}

func TestWhatStopsARunKeepsInWhoseFavor(t *testing.T) {
	end := endedByQueue(admission.Turn{Action: admission.Cancel, Cause: admission.Replaced, By: admission.Key{Name: "other"}})
	if kept := stopRequest(withStopRequest(nil, end)); *kept != *end {
		t.Errorf("it is %+v, want %+v", kept, end)
	}
}

func TestARunDoesNotWaitForEver(t *testing.T) {
	missing := func(since time.Duration) admission.Turn {
		return admission.Turn{Wait: admission.Pending{
			Reason: v1alpha1.ReasonQueueNotFound, Message: "There is no TestQueue", MissingSince: t0.Add(since),
		}}
	}
	queued := admission.Turn{Wait: admission.Pending{Reason: v1alpha1.ReasonQueued, Message: "Waits in queue default: others come first"}}
	limited := queueTimeoutOf(time.Minute)
	later := func(run *v1alpha1.TestRun) { run.Spec.RunAfter = new(after(time.Hour)) }
	tests := map[string]struct {
		seen *scene
		now  time.Duration
		says string
		// again is when it is looked at again; 0 is when something happens.
		again time.Duration
	}{
		"a run whose queue does not exist is silent for a moment": {aRun().withTurn(missing(0)), time.Second, "", 4 * time.Second},
		"then it says so": {aRun().withTurn(missing(0)), 10 * time.Second, "Pending  QueueNotFound", 20 * time.Second},
		"and ends":        {aRun().withTurn(missing(0)), 30 * time.Second, "Finished Error QueueNotFound", 0},
		"when its queue was deleted it has as long": {aRun().withTurn(missing(time.Hour)), time.Hour + 29*time.Second, "Pending  QueueNotFound", time.Second},
		"a queue that has been missing for long":    {aRun().withTurn(missing(-time.Hour)), 29 * time.Second, "Pending  QueueNotFound", time.Second},

		"without timeouts.queue it waits":           {aRun().withTurn(queued), 1000 * time.Hour, "Pending  Queued", 0},
		"with one it waits so long":                 {aRun(limited).withTurn(queued), 59 * time.Second, "Pending  Queued", time.Second},
		"and ends then, too":                        {aRun(limited).withTurn(queued), time.Minute, "Finished Error QueueTimeout", 0},
		"but not when its turn has come":            {aRun(limited), time.Hour, "", 0},
		"the time before runAfter does not count":   {aRun(limited, later).withTurn(queued), time.Hour + 59*time.Second, "Pending  Queued", time.Second},
		"that after it does":                        {aRun(limited, later).withTurn(queued), time.Hour + time.Minute, "Finished Error QueueTimeout", 0},
		"a queue that does not exist ends it first": {aRun(limited).withTurn(missing(0)), 30 * time.Second, "Finished Error QueueNotFound", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.seen.QueueGracePeriod = 30 * time.Second
			plan := Decide(test.seen.look(), t0.Add(test.now))
			if words(plan.State) != test.says || plan.RequeueAfter != test.again {
				t.Errorf("it says %q and looks again in %s, want %q and %s", words(plan.State), plan.RequeueAfter, test.says, test.again)
			}
		})
	}
}

func TestAKeyHoldsOnlyParamsThatTheTestDefines(t *testing.T) {
	const mistyped = "concurrency.key holds $(TARGTE), which the Test does not define; it defines: TARGET. Write $$ for a $"
	tests := map[string]struct{ tests, own, says string }{
		"of the Test":                  {"a-$(TARGET)", "", ""},
		"of the Test, mistyped":        {"a-$(TARGTE)", "", mistyped},
		"of the run":                   {"", "b-$(TARGET)", ""},
		"of the run, mistyped":         {"", "b-$(TARGTE)", mistyped},
		"of the run instead of theirs": {"a-$(TARGTE)", "b", ""},
		"escaped":                      {"$$(TARGTE)-$$", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := aRun(func(run *v1alpha1.TestRun) {
				run.Spec.TestSpec.Params = []v1alpha1.ParamSpec{{Name: "TARGET"}}
				run.Spec.TestSpec.Concurrency.Key, run.Spec.Concurrency.Key = test.tests, test.own
			})
			plan := Decide(s.look(), t0)
			_, reported := waiting(s.look())
			if test.says == "" {
				if deed(plan) != "create" || !reported {
					t.Errorf("it does %q and says %q", deed(plan), words(plan.State))
				}
				return
			}
			if words(plan.State) != "Finished Error InvalidParams" || plan.State.Message != test.says || reported {
				t.Errorf("it says %q: %q, and its queue knows of it: %v", words(plan.State), plan.State.Message, reported)
			}
		})
	}
}

// A run that its queue has not accepted yet may still be refused.
func TestWhatARunWasToldHoldsAfterARestart(t *testing.T) {
	for reason, want := range map[string][2]bool{
		v1alpha1.ReasonWaiting:          {false, false},
		v1alpha1.ReasonQueued:           {true, false},
		v1alpha1.ReasonQueueSuspended:   {true, false},
		v1alpha1.ReasonConcurrencyLimit: {true, false},
		v1alpha1.ReasonNotBefore:        {false, true},
		v1alpha1.ReasonQueueNotFound:    {false, true},
		v1alpha1.ReasonQueueForbidden:   {false, true},
	} {
		s := aRun(func(run *v1alpha1.TestRun) {
			run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: reason}}
		})
		if entry, _ := waiting(s.look()); entry.Accepted != want[0] || entry.Told != want[1] {
			t.Errorf("%s: accepted %v and told %v, want %v", reason, entry.Accepted, entry.Told, want)
		}
	}
}

func TestThePriorityOfARunIsTheFirstThatIsSet(t *testing.T) {
	s := aRun(func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Priority = ptr.To[int32](3) })
	if entry, ok := waiting(s.look()); !ok || *entry.Priority != 3 {
		t.Errorf("it is %v", entry.Priority)
	}
	s.Run.Spec.Priority = ptr.To[int32](0)
	if entry, _ := waiting(s.look()); *entry.Priority != 0 {
		t.Errorf("with one of its own it is %v", *entry.Priority)
	}
}

func queueTimeoutOf(limit time.Duration) func(*v1alpha1.TestRun) {
	return func(run *v1alpha1.TestRun) { run.Spec.Timeouts.Queue = &v1alpha1.PositiveDuration{Duration: limit} }
}
