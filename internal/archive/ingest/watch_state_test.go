package ingest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/builders"
)

// objectOf is a TestRun as a watch brings it.
func objectOf(t *testing.T, run *v1alpha1.TestRun) *unstructured.Unstructured {
	t.Helper()
	run.APIVersion, run.Kind = v1alpha1.GroupVersion.String(), "TestRun"
	text, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return object
}

func at(minute int) time.Time { return time.Date(2026, 1, 31, 10, minute, 0, 0, time.UTC) }

func ptrTo(t time.Time) *metav1.Time { return ptr.To(metav1.NewTime(t)) }

// created is a run that nobody has reported on.
func created(name string) *v1alpha1.TestRun {
	run := builders.TestRun(name).In("team-a").Build()
	run.UID, run.ResourceVersion, run.CreationTimestamp = "6f2c0f0e", "41", metav1.NewTime(at(0))
	run.Status.Phase = v1alpha1.PhasePending
	return run
}

// finished is a run that failed in its second attempt.
func finished() *v1alpha1.TestRun {
	run := created("smoke")
	run.Status = v1alpha1.TestRunStatus{
		Phase: v1alpha1.PhaseFinished, Verdict: v1alpha1.VerdictFailed, StartTime: ptrTo(at(1)), FinishTime: ptrTo(at(5)),
		Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionFinished, Status: metav1.ConditionTrue, Reason: "Other", Message: "another", LastTransitionTime: metav1.NewTime(at(5))},
			{
				Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCasesFailed, Message: "1 of 3 cases failed",
				LastTransitionTime: metav1.NewTime(at(5)),
			},
		},
		Results: v1alpha1.Results{
			Format: v1alpha1.ResultsTAP, Summary: "1/3", Total: 3, Passed: 1, Failed: 1, Skipped: 1, Flaky: 1,
			Cases: []v1alpha1.Case{
				{Name: "pays", Suite: "till", Outcome: v1alpha1.OutcomeFailed, Location: "till.t:9", Message: "no change", Duration: &metav1.Duration{Duration: 12 * time.Millisecond}},
				{Name: "opens", Outcome: v1alpha1.OutcomePassed, Flaky: ptr.To(true)},
			},
		},
		Attempts: []v1alpha1.Attempt{
			{Number: 1, Job: "smoke-1", Pod: "smoke-1-x", Node: "n1", CreateTime: ptrTo(at(0)), StartTime: ptrTo(at(1)), FinishTime: ptrTo(at(2)), ExitCode: ptr.To[int32](137), Verdict: v1alpha1.VerdictError, Reason: "Evicted"},
			{Number: 2, Job: "smoke-2", Pod: "smoke-2-x", Node: "n2", CreateTime: ptrTo(at(3)), StartTime: ptrTo(at(4)), FinishTime: ptrTo(at(5)), ExitCode: ptr.To[int32](1), Verdict: v1alpha1.VerdictFailed, Reason: v1alpha1.ReasonCasesFailed},
		},
	}
	return run
}

func TestAFinishedRunIsKeptAsItsStatusSays(t *testing.T) {
	run := finished()
	state, err := stateOf(objectOf(t, run), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct{ got, want any }{
		{state.Run, archive.Run{
			UID: "6f2c0f0e", Namespace: "team-a", Name: "smoke", Series: "smoke", Phase: "Finished", Verdict: "Failed",
			Reason: "CasesFailed", Message: "1 of 3 cases failed", Created: at(0), Started: at(1), Finished: at(5),
			Counts: archive.Counts{Passed: 1, Failed: 1, Skipped: 1, Flaky: 1}, ResourceVersion: "41",
		}},
		{state.Attempts, []archive.Attempt{
			{UID: "6f2c0f0e", Number: 1, Job: "smoke-1", Pod: "smoke-1-x", Node: "n1", Verdict: "Error", Reason: "Evicted", ExitCode: ptr.To[int32](137), Created: at(0), Started: at(1), Finished: at(2)},
			{UID: "6f2c0f0e", Number: 2, Job: "smoke-2", Pod: "smoke-2-x", Node: "n2", Verdict: "Failed", Reason: "CasesFailed", ExitCode: ptr.To[int32](1), Created: at(3), Started: at(4), Finished: at(5)},
		}},
		{state.CasesOf, int32(2)},
		{state.Cases, []archive.CaseResult{
			{Number: 1, Name: "pays", Suite: "till", Outcome: results.Failed, Location: "till.t:9", Message: "no change", Duration: 12 * time.Millisecond},
			{Number: 2, Name: "opens", Outcome: results.Passed, Flaky: true},
		}},
	} {
		if !reflect.DeepEqual(utc(each.got), utc(each.want)) {
			t.Errorf("it is\n%+v, want\n%+v", each.got, each.want)
		}
	}
}

// utc compares times as instants: reading JSON gives them the zone of the machine.
func utc(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer("+00:00", "Z").Replace(string(text))
}

func TestARunBelongsToASeriesAndHasAState(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.TestRun)
		want   func(*archive.Run)
	}{
		"one that has only a name": {func(*v1alpha1.TestRun) {}, func(*archive.Run) {}},
		"one with a generateName": {
			func(run *v1alpha1.TestRun) { run.GenerateName = "nightly-" },
			func(kept *archive.Run) { kept.Series = "nightly" },
		},
		"one with the label of a series": {
			func(run *v1alpha1.TestRun) {
				run.GenerateName, run.Labels = "nightly-", map[string]string{v1alpha1.LabelSeries: "till"}
			},
			func(kept *archive.Run) {
				kept.Series, kept.Labels = "till", map[string]string{v1alpha1.LabelSeries: "till"}
			},
		},
		"one of a Test that has not started": {
			func(run *v1alpha1.TestRun) {
				run.GenerateName, run.Spec.TestSpec, run.Spec.TestRef = "nightly-", nil, &v1alpha1.TestReference{Name: "till"}
			},
			func(kept *archive.Run) { kept.Test, kept.Series = "till", "till" },
		},
		"one that repeats a run of a Test": {
			func(run *v1alpha1.TestRun) {
				run.Spec, run.Status.Test = v1alpha1.TestRunSpec{RerunOf: &v1alpha1.RunReference{Name: "other"}}, "till"
			},
			func(kept *archive.Run) { kept.Test, kept.Series = "till", "till" },
		},
		"one that is pinned": {
			func(run *v1alpha1.TestRun) { run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "by Ada"} },
			func(kept *archive.Run) { kept.Pinned = true },
		},
		"one that is not pinned any more": {
			func(run *v1alpha1.TestRun) { run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "false"} },
			func(*archive.Run) {},
		},
		"one that is flaky": {
			func(run *v1alpha1.TestRun) { run.Status.Flaky = ptr.To(true) },
			func(kept *archive.Run) { kept.Flaky = true },
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := created("smoke")
			want := archive.Run{
				UID: "6f2c0f0e", Namespace: "team-a", Name: "smoke", Series: "smoke", Phase: "Pending", Created: at(0), ResourceVersion: "41",
			}
			test.change(run)
			test.want(&want)
			state, err := stateOf(objectOf(t, run), time.Time{})
			if err != nil || utc(state.Run) != utc(want) {
				t.Errorf("it is\n%+v, want\n%+v, %v", state.Run, want, err)
			}
			if len(state.Cases) != 0 || state.CasesOf != 0 {
				t.Errorf("a run that has not finished has cases: %+v", state.Cases)
			}
		})
	}
}

// A newer version of the API may have fields of another type. What identifies the run is the same in every version.
func TestAnObjectThatCannotBeReadIsKeptNevertheless(t *testing.T) {
	object := objectOf(t, finished())
	if err := unstructured.SetNestedField(object.Object, "many", "status", "attempts"); err != nil {
		t.Fatal(err)
	}
	state, err := stateOf(object, at(9))
	want := archive.Run{
		UID: "6f2c0f0e", Namespace: "team-a", Name: "smoke", Series: "smoke", Created: at(0), Deleted: at(9), ResourceVersion: "41",
	}
	if err != nil || utc(state.Run) != utc(want) {
		t.Errorf("it is\n%+v, want\n%+v, %v", state.Run, want, err)
	}
	expectObject(t, state.Object, "many")
}

func TestTheWholeObjectIsKeptButForItsManagedFields(t *testing.T) {
	run := finished()
	run.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-client-side-apply"}}
	object := objectOf(t, run)
	if err := unstructured.SetNestedField(object.Object, "of a newer version", "spec", "field"); err != nil {
		t.Fatal(err)
	}
	state, err := stateOf(object, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if text := expectObject(t, state.Object, "of a newer version"); strings.Contains(text, "kubectl-client-side-apply") {
		t.Errorf("the managed fields are kept: %s", text)
	}
}

func expectObject(t *testing.T, packed []byte, part string) string {
	t.Helper()
	var text string
	for length := int64(1); length < 1<<16 && text == ""; length++ {
		if plain, err := blobs.Unpack(packed, length); err == nil {
			text = string(plain)
		}
	}
	if !strings.Contains(text, part) || !json.Valid([]byte(text)) {
		t.Errorf("the object does not say %q: %s", part, text)
	}
	return text
}
