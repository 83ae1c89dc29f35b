package gitops

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/recorded"
)

// healths are what Argo CD takes from a script. It makes Unknown of any other.
var healths = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Unknown", "Missing"}

// health is what Argo CD shows of the object.
func health(t *testing.T, kind string, object map[string]any) (health, message string) {
	t.Helper()
	returned, err := execute(t, customization(t, "health", kind), object)
	if err != nil {
		t.Fatalf("the script fails: %v", err)
	}
	answer, _ := returned.(map[string]any)
	health, _ = answer["status"].(string)
	message, _ = answer["message"].(string)
	if !slices.Contains(healths, health) {
		t.Fatalf("the script returns %v, want a health", returned)
	}
	return health, message
}

func runs(t *testing.T) []recorded.Run {
	t.Helper()
	runs, err := recorded.Runs()
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestArgoCDShowsEachRecordedRunByItsPhaseAndVerdict(t *testing.T) {
	for _, run := range runs(t) {
		t.Run(run.Name, func(t *testing.T) {
			reason, says := recorded.Succeeded(run.Object)
			want := map[string]string{"Passed": "Healthy", "": "Progressing"}
			verdict, _, _ := unstructured.NestedString(run.Object, "status", "verdict")
			expected, ok := want[verdict]
			switch {
			case reason == v1alpha1.ReasonQueueSuspended:
				expected = "Suspended"
			case !ok:
				expected = "Degraded"
			}
			got, message := health(t, "TestRun", run.Object)
			if got != expected {
				t.Errorf("Argo CD shows %s, want %s", got, expected)
			}
			for _, part := range []string{reason, says} {
				if !strings.Contains(message, part) {
					t.Errorf("Argo CD says %q, want %q in it", message, part)
				}
			}
			if expected == "Degraded" && !strings.HasPrefix(message, verdict+", ") {
				t.Errorf("Argo CD says %q, want the verdict first", message)
			}
		})
	}
}

// Flux knows nothing of TestRun but what kstatus reads from its conditions.
func TestArgoCDAndFluxAgreeOnEachRecordedRun(t *testing.T) {
	fluxSees := map[status.Status][]string{
		status.CurrentStatus: {"Healthy"}, status.InProgressStatus: {"Progressing", "Suspended"}, status.FailedStatus: {"Degraded"},
	}
	changes := map[string]func(map[string]any){
		"as it is":                       func(map[string]any) {},
		"changed since anybody reported": func(run map[string]any) { set(t, run, float64(99), "metadata", "generation") },
		"that no controller has reported on": func(run map[string]any) {
			set(t, run, map[string]any{"phase": "Pending", "conditions": defaults(t)}, "status")
		},
	}
	for _, run := range runs(t) {
		for name, change := range changes {
			object := runtime.DeepCopyJSON(run.Object)
			change(object)
			flux, err := status.Compute(&unstructured.Unstructured{Object: whole(object)})
			if err != nil {
				t.Fatal(err)
			}
			argo, _ := health(t, "TestRun", object)
			if !slices.Contains(fluxSees[flux.Status], argo) {
				t.Errorf("run %s, %s: Flux sees %s (%s), Argo CD shows %s", run.Name, name, flux.Status, flux.Message, argo)
			}
		}
	}
}

// defaults are the conditions that the API server gives a new run.
func defaults(t *testing.T) []any {
	t.Helper()
	var conditions []any
	if err := yaml.Unmarshal([]byte(`[{type: Succeeded, status: Unknown, reason: Waiting}, {type: Reconciling, status: "True", reason: Waiting}]`), &conditions); err != nil {
		t.Fatal(err)
	}
	return conditions
}

func TestARunIsRecordedWithEveryReason(t *testing.T) {
	var seen []string
	for _, run := range runs(t) {
		reason, _ := recorded.Succeeded(run.Object)
		seen = append(seen, reason)
		if name := recorded.NameOf(run.Object); name != run.Name {
			t.Errorf("the file %s.yaml holds a run that is %s", run.Name, name)
		}
	}
	for _, reason := range v1alpha1.Reasons {
		if !slices.Contains(seen, reason) {
			t.Errorf("no run is recorded with the reason %s: have a test bring one about, and `make record-runs`", reason)
		}
	}
	for _, verdict := range []string{"Passed", "Failed", "Error", "TimedOut", "Cancelled"} {
		if !slices.ContainsFunc(runs(t), func(run recorded.Run) bool { return strings.HasPrefix(run.Name, "Finished-"+verdict+"-") }) {
			t.Errorf("no run is recorded with verdict %s", verdict)
		}
	}
}

func TestWhatNobodyWouldWriteIsNeverHealthy(t *testing.T) {
	tests := map[string]struct{ object, want, message string }{
		"nothing":                   {`{}`, "Progressing", "No controller has reported"},
		"no status yet":             {`{metadata: {generation: 1}, spec: {}}`, "Progressing", "No controller has reported"},
		"a null status":             {`{status: null}`, "Progressing", "No controller has reported"},
		"a status of text":          {`{status: Passed}`, "Progressing", "No controller has reported"},
		"an empty status":           {`{status: {}}`, "Progressing", "No controller has reported"},
		"no phase":                  {`{status: {verdict: Passed}}`, "Progressing", "No controller has reported"},
		"a phase of another time":   {`{status: {phase: Paused, verdict: Passed}}`, "Unknown", "phase Paused"},
		"a phase that is a list":    {`{status: {phase: [Finished], verdict: Passed}}`, "Unknown", "phase"},
		"finished without verdict":  {`{metadata: {generation: 1}, status: {phase: Finished, observedGeneration: 1}}`, "Unknown", "verdict"},
		"an unknown verdict":        {`{metadata: {generation: 1}, status: {phase: Finished, verdict: Skipped, observedGeneration: 1}}`, "Unknown", "verdict Skipped"},
		"a verdict that is true":    {`{metadata: {generation: 1}, status: {phase: Finished, verdict: true, observedGeneration: 1}}`, "Unknown", "verdict true"},
		"passed before a change":    {`{metadata: {generation: 2}, status: {phase: Finished, verdict: Passed, observedGeneration: 1}}`, "Progressing", "has been changed"},
		"passed, never observed":    {`{metadata: {generation: 1}, status: {phase: Finished, verdict: Passed}}`, "Progressing", "has been changed"},
		"metadata of text":          {`{metadata: run, status: {phase: Finished, verdict: Passed, observedGeneration: 1}}`, "Progressing", "has been changed"},
		"conditions of text":        {`{status: {phase: Pending, conditions: waiting}}`, "Progressing", "No controller has reported"},
		"conditions of numbers":     {`{status: {phase: Pending, conditions: [1, 2]}}`, "Progressing", "No controller has reported"},
		"a message that is a table": {`{status: {phase: Pending, conditions: [{type: Succeeded, reason: [a], message: {b: c}}]}}`, "Progressing", "table"},
		"a message that is a number": {
			`{status: {phase: Pending, conditions: [{type: Succeeded, reason: 1.5, message: 7}]}}`, "Progressing", "1.5: 7",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(test.object), &object); err != nil {
				t.Fatal(err)
			}
			got, message := health(t, "TestRun", object)
			if got != test.want || !strings.Contains(message, test.message) {
				t.Errorf("Argo CD shows %s (%s), want %s (%s)", got, message, test.want, test.message)
			}
		})
	}
}

// A run is broken at each place in turn: the script never fails, and only what still says that the run has passed, as it
// was seen, is healthy.
func TestABrokenRunIsNeverHealthyByAccident(t *testing.T) {
	some := []string{"Finished-Passed-TestPassed", "Finished-Failed-TestFailed", "InProgress-Running", "Pending-Queued"}
	for _, run := range slices.DeleteFunc(runs(t), func(run recorded.Run) bool { return !slices.Contains(some, run.Name) }) {
		for _, junk := range []any{nil, true, float64(-1), "junk", []any{}, map[string]any{}, []any{map[string]any{"type": "Succeeded"}}} {
			for _, path := range paths(run.Object, nil) {
				object := runtime.DeepCopyJSON(run.Object)
				set(t, object, junk, path...)
				got, message := health(t, "TestRun", object)
				verdict, _, _ := unstructured.NestedString(object, "status", "verdict")
				phase, _, _ := unstructured.NestedString(object, "status", "phase")
				generation, _, _ := unstructured.NestedFieldNoCopy(object, "metadata", "generation")
				observed, _, _ := unstructured.NestedFieldNoCopy(object, "status", "observedGeneration")
				passed := phase == "Finished" && verdict == "Passed" && fmt.Sprint(generation) == fmt.Sprint(observed)
				if (got == "Healthy") != passed {
					t.Errorf("run %s with %v at %v is %s (%s)", run.Name, junk, path, got, message)
				}
			}
		}
	}
}

// paths are those of all the objects' fields, down to three levels; below that the script looks at nothing but conditions, as a whole.
func paths(object map[string]any, above []string) [][]string {
	var found [][]string
	for name, value := range object {
		path := append(slices.Clone(above), name)
		found = append(found, path)
		if inner, ok := value.(map[string]any); ok && len(path) < 3 && (path[0] == "status" || path[0] == "metadata") {
			found = append(found, paths(inner, path)...)
		}
	}
	return found
}

// set puts a value at the path.
func set(t *testing.T, object map[string]any, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object, value, path...); err != nil {
		t.Fatal(err)
	}
}

// whole has the whole numbers of an object as such: YAML reads each number as one with a fraction.
func whole(object map[string]any) map[string]any {
	return wholeOf(object).(map[string]any)
}

func wholeOf(value any) any {
	switch value := value.(type) {
	case float64:
		return int64(value)
	case []any:
		for i := range value {
			value[i] = wholeOf(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = wholeOf(value[name])
		}
	}
	return value
}

func TestArgoCDShowsAQueueThatIsSuspended(t *testing.T) {
	for spec, want := range map[string]string{
		`{suspend: true}`: "Suspended", `{suspend: false, maxRunning: 2}`: "Healthy", `{}`: "Healthy", `null`: "Healthy", `junk`: "Healthy",
	} {
		var value any
		if err := yaml.Unmarshal([]byte(spec), &value); err != nil {
			t.Fatal(err)
		}
		if got, _ := health(t, "TestQueue", map[string]any{"spec": value}); got != want {
			t.Errorf("Argo CD shows a queue with %s as %s, want %s", spec, got, want)
		}
	}
}
