package api

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// Status is a subresource, so that what a user writes there is dropped: the schema's default must hold for every run, or one
// that is created while no controller runs would say nothing.
func TestANewRunSaysThatItIsPending(t *testing.T) {
	for name, edit := range map[string]func(*unstructured.Unstructured){
		"without a status":     func(*unstructured.Unstructured) {},
		"with a null status":   func(run *unstructured.Unstructured) { run.Object["status"] = nil },
		"with an empty status": func(run *unstructured.Unstructured) { run.Object["status"] = map[string]any{} },
		"with a status of its own": func(run *unstructured.Unstructured) {
			run.Object["status"] = map[string]any{"phase": "Finished", "verdict": "Passed"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			created := object(t, "TestRun", ref(""))
			edit(created)
			if err := apiserver.Client.Create(t.Context(), created); err != nil {
				t.Fatal(err)
			}
			run := &v1alpha1.TestRun{}
			if err := apiserver.Client.Get(t.Context(), client.ObjectKeyFromObject(created), run); err != nil {
				t.Fatal(err)
			}

			if run.Status.Phase != v1alpha1.PhasePending || run.Status.Verdict != "" {
				t.Errorf("phase %q, verdict %q", run.Status.Phase, run.Status.Verdict)
			}
			var got []string
			for _, c := range run.Status.Conditions {
				got = append(got, c.Type+"="+string(c.Status)+" "+c.Reason+": "+c.Message)
			}
			const says = " " + v1alpha1.ReasonWaiting + ": No controller has reported on this run yet"
			want := []string{
				v1alpha1.ConditionPending + "=True" + says,
				v1alpha1.ConditionSucceeded + "=Unknown" + says,
				v1alpha1.ConditionReconciling + "=True" + says,
			}
			if !slices.Equal(got, want) {
				t.Errorf("conditions %q, want %q", got, want)
			}
		})
	}
}

// A status that is written without a phase, by another tool for one, does not lose it.
func TestAStatusAlwaysHasAPhase(t *testing.T) {
	run := object(t, "TestRun", ref(""))
	if err := apiserver.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	run.Object["status"] = map[string]any{"observedGeneration": int64(1)}
	if err := apiserver.Client.Status().Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if phase, _, _ := unstructured.NestedString(run.Object, "status", "phase"); phase != string(v1alpha1.PhasePending) {
		t.Errorf("phase %q", phase)
	}
}

func TestFieldSelectorsFindRuns(t *testing.T) {
	namespace := apiserver.Namespace(t)
	store(t, builders.TestRun("waiting").In(namespace).Of("unit").Build())
	store(t, builders.TestRun("inline").In(namespace).Build())
	store(t, builders.TestRun("passed").In(namespace).Of("unit").Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed).Build())
	store(t, builders.TestRun("failed").In(namespace).Of("e2e").Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed).Build())

	for selector, want := range map[string][]string{
		"status.phase=Pending":                        {"inline", "waiting"},
		"status.phase!=Pending":                       {"failed", "passed"},
		"status.verdict=Failed":                       {"failed"},
		"status.verdict=":                             {"inline", "waiting"},
		"spec.testRef.name=unit":                      {"passed", "waiting"},
		"spec.testRef.name=":                          {"inline"},
		"spec.testRef.name=unit,status.phase=Pending": {"waiting"},
		"metadata.name=passed":                        {"passed"},
	} {
		t.Run(selector, func(t *testing.T) {
			var runs v1alpha1.TestRunList
			err := apiserver.Client.List(t.Context(), &runs, client.InNamespace(namespace),
				&client.ListOptions{Raw: &metav1.ListOptions{FieldSelector: selector}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, run := range runs.Items {
				got = append(got, run.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}

// What `kubectl get testruns -o wide` prints comes from the server as a table.
func TestTheTableTellsTheTruth(t *testing.T) {
	namespace := apiserver.Namespace(t)
	run := builders.TestRun("nightly").In(namespace).Of("unit").Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed).Build()
	run.Status.Duration = &metav1.Duration{Duration: 63 * time.Second}
	run.Status.Results = v1alpha1.Results{Format: v1alpha1.ResultsTAP, Summary: "41/42", Total: 42, Passed: 41, Failed: 1}
	run.Status.Attempts = []v1alpha1.Attempt{
		{Number: 1, Job: "nightly-1", Node: "a", Verdict: v1alpha1.VerdictFailed, ExitCode: ptr.To[int32](1)},
		{Number: 2, Job: "nightly-2", Node: "b", Verdict: v1alpha1.VerdictFailed, ExitCode: ptr.To[int32](1)},
	}
	store(t, run)
	store(t, builders.TestRun("waiting").In(namespace).Build())
	test := builders.Test("unit", builders.TestSpec("true"))
	test.Namespace, test.Spec.Description = namespace, "The unit tests"
	if err := apiserver.Client.Create(t.Context(), test); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		resource string
		narrow   []string
		wide     []string
		rows     [][]any // without the age, which is the last of the narrow ones
	}{
		{
			"testruns",
			[]string{"Name", "Test", "Status", "Verdict", "Cases", "Reason", "Duration", "Age"},
			[]string{"Attempts", "Node", "Rerun of", "Message"},
			[][]any{
				{"nightly", "unit", "Finished", "Failed", "41/42", "TestFailed", "1m3s", 2.0, "b", nil, "the message of TestFailed"},
				{"waiting", nil, "Pending", nil, nil, "Waiting", nil, nil, nil, nil, "No controller has reported on this run yet"},
			},
		},
		{"tests", []string{"Name", "Description", "Age"}, nil, [][]any{{"unit", "The unit tests"}}},
	} {
		t.Run(c.resource, func(t *testing.T) {
			table := table(t, namespace, c.resource)
			var narrow, wide []string
			for _, column := range table.ColumnDefinitions {
				if column.Priority == 0 {
					narrow = append(narrow, column.Name)
				} else {
					wide = append(wide, column.Name)
				}
			}
			if !slices.Equal(narrow, c.narrow) || !slices.Equal(wide, c.wide) {
				t.Errorf("columns %q and wide %q, want %q and %q", narrow, wide, c.narrow, c.wide)
			}
			for i, row := range table.Rows {
				age := len(c.narrow) - 1
				if _, err := time.ParseDuration(row.Cells[age].(string)); err != nil {
					t.Errorf("age: %v", err)
				}
				if cells := slices.Delete(row.Cells, age, age+1); i >= len(c.rows) || !slices.Equal(cells, c.rows[i]) {
					t.Errorf("row %d: %#v", i, cells)
				}
			}
			if len(table.Rows) != len(c.rows) {
				t.Errorf("%d rows, want %d", len(table.Rows), len(c.rows))
			}
		})
	}
}

func table(t *testing.T, namespace, resource string) metav1.Table {
	t.Helper()
	body, err := rawClient(t).Get().Namespace(namespace).Resource(resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(body, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

// store creates the run and then writes its status, if it has one.
func store(t *testing.T, run *v1alpha1.TestRun) {
	t.Helper()
	status := run.Status
	if err := apiserver.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if status.Phase == "" {
		return
	}
	run.Status = status
	if err := apiserver.Client.Status().Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}
