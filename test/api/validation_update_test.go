package api

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

const (
	newTestRef     = `spec.testRef: Invalid value: testRef cannot be changed: create a new TestRun`
	newTestSpec    = `spec.testSpec: Invalid value: testSpec cannot be changed: create a new TestRun`
	newRerunOf     = `spec.rerunOf: Invalid value: rerunOf cannot be changed: create a new TestRun`
	newQueue       = `spec.queue: Invalid value: "b": queue cannot be changed: create a new TestRun`
	newConcurrency = `spec.concurrency: Invalid value: concurrency cannot be changed: create a new TestRun`
	newUnique      = `spec.unique: Invalid value: unique cannot be changed: create a new TestRun`
	newRunAfter    = `spec.runAfter: Invalid value: "2026-01-31T11:00:00Z": runAfter cannot be changed: create a new TestRun`
	newParams      = `spec.params: Invalid value: params cannot be changed: create a new TestRun`
	newRetry       = `spec.retry: Invalid value: retry cannot be changed: create a new TestRun`
	newTimeouts    = `spec.timeouts: Invalid value: timeouts cannot be changed: create a new TestRun`
	newField       = `spec: Invalid value: no field but cancel, priority and ttlAfterFinished can be added or removed: create a new TestRun`
	uncancelled    = `spec: Invalid value: cancel cannot be taken back: create a new TestRun`
)

// changes are updates of a stored run. Those that want nothing are accepted.
var changes = []struct {
	name   string
	before string
	after  string
	want   string
}{
	{name: "testRef renamed", before: ref(``), after: `{testRef: {name: other}}`, want: newTestRef},
	{name: "testRef replaced by testSpec", before: ref(``), after: `{testSpec: {POD}}`, want: newField},
	{name: "testSpec replaced by testRef", before: `{testSpec: {POD}}`, after: ref(``), want: newField},
	{name: "testSpec with another image", before: `{testSpec: {POD}}`, after: `{testSpec: {template: {spec: {containers: [{name: test, image: ruby}]}}}}`, want: newTestSpec},
	{name: "testSpec with a description added", before: `{testSpec: {POD}}`, after: `{testSpec: {POD, description: a}}`, want: newTestSpec},
	{name: "testSpec with a description removed", before: `{testSpec: {POD, description: a}}`, after: `{testSpec: {POD}}`, want: newTestSpec},

	{name: "rerunOf with another name", before: rerun(``), after: `{rerunOf: {name: green}}`, want: newRerunOf},

	{name: "another queue", before: ref(`, queue: a`), after: ref(`, queue: b`), want: newQueue},
	{name: "another concurrency key", before: ref(`, concurrency: {key: a}`), after: ref(`, concurrency: {key: b}`), want: newConcurrency},
	{name: "unique added", before: ref(``), after: ref(`, unique: {key: a}`), want: newField},
	{name: "another unique window", before: ref(`, unique: {key: a, window: 90s}`), after: ref(`, unique: {key: a, window: 91s}`), want: newUnique},
	{name: "a unique window written in another way", before: ref(`, unique: {key: a, window: 90s}`), after: ref(`, unique: {key: a, window: 1m30s}`)},
	{name: "runAfter put off", before: ref(`, runAfter: "2026-01-31T10:00:00Z"`), after: ref(`, runAfter: "2026-01-31T11:00:00Z"`), want: newRunAfter},
	{name: "priority raised", before: ref(`, priority: 1`), after: ref(`, priority: 2`)},

	{name: "params with another value", before: ref(`, params: [{name: A, value: x}]`), after: ref(`, params: [{name: A, value: z}]`), want: newParams},
	{name: "params with one more", before: ref(`, params: [{name: A, value: x}]`), after: ref(`, params: [{name: A, value: x}, {name: B, value: x}]`), want: newParams},
	{name: "params added", before: ref(``), after: ref(`, params: [{name: A, value: x}]`), want: newField},
	{name: "queue added", before: ref(``), after: ref(`, queue: a`), want: newField},
	{name: "concurrency removed", before: ref(`, concurrency: {key: a}`), after: ref(``), want: newField},
	{name: "runAfter removed", before: ref(`, runAfter: "2026-01-31T10:00:00Z"`), after: ref(``), want: newField},
	{name: "testRef replaced by rerunOf", before: ref(``), after: rerun(``), want: newField},
	{name: "params removed", before: ref(`, params: [{name: A, value: x}]`), after: ref(``), want: newField},
	{name: "timeouts with another value", before: ref(`, timeouts: {run: 1h}`), after: ref(`, timeouts: {run: 2h}`), want: newTimeouts},
	{name: "timeouts with one more", before: ref(`, timeouts: {run: 1h}`), after: ref(`, timeouts: {run: 1h, start: 1m}`), want: newTimeouts},
	{name: "retry added", before: ref(``), after: ref(`, retry: {failure: 1}`), want: newField},
	{name: "retry removed", before: ref(`, retry: {failure: 1}`), after: ref(``), want: newField},
	{name: "retry with another value", before: ref(`, retry: {failure: 1}`), after: ref(`, retry: {failure: 2}`), want: newRetry},
	{name: "retry with one more", before: ref(`, retry: {failure: 1}`), after: ref(`, retry: {failure: 1, disruption: 0}`), want: newRetry},
	{name: "retry with another backoff", before: ref(`, retry: {backoff: {base: 1s, factor: 2, cap: 1m}}`), after: ref(`, retry: {backoff: {base: 1s, factor: 3, cap: 1m}}`), want: newRetry},
	{name: "retry with another base", before: ref(`, retry: {backoff: {base: 1s}}`), after: ref(`, retry: {backoff: {base: 2s}}`), want: newRetry},
	{name: "retry with another cap", before: ref(`, retry: {backoff: {cap: 1m}}`), after: ref(`, retry: {backoff: {cap: 2m}}`), want: newRetry},
	{name: "retry with another exit code", before: ref(`, retry: {exitCodes: {permanent: [2]}}`), after: ref(`, retry: {exitCodes: {permanent: [3]}}`), want: newRetry},
	{name: "retry with another policy for silent nodes", before: ref(`, retry: {unreachable: Wait}`), after: ref(`, retry: {unreachable: Replace}`), want: newRetry},
	{name: "timeouts with another queue", before: ref(`, timeouts: {queue: 90s}`), after: ref(`, timeouts: {queue: 2m}`), want: newTimeouts},
	{name: "timeouts with another unreachable", before: ref(`, timeouts: {unreachable: 90s}`), after: ref(`, timeouts: {unreachable: 2m}`), want: newTimeouts},
	{name: "retry with a backoff removed", before: ref(`, retry: {failure: 1, backoff: {cap: 1m}}`), after: ref(`, retry: {failure: 1}`), want: newRetry},
	{name: "retry written in another way", before: ref(`, retry: {failure: 1, backoff: {base: 90s, cap: 60m}}`), after: ref(`, retry: {failure: 1, backoff: {base: 1m30s, cap: 1h0m0s}}`)},
	{name: "timeouts added", before: ref(``), after: ref(`, timeouts: {run: 1h}`), want: newField},
	{name: "timeouts removed", before: ref(`, timeouts: {run: 1h}`), after: ref(``), want: newField},

	{name: "timeouts written in another way", before: ref(`, timeouts: {start: 90s, run: 1h}`), after: ref(`, timeouts: {start: 1m30s, run: 1h0m0s}`)},
	{name: "a start timeout with another value", before: ref(`, timeouts: {start: 90s}`), after: ref(`, timeouts: {start: 91s}`), want: newTimeouts},

	{name: "cancel taken back", before: ref(`, cancel: true`), after: ref(`, cancel: false`), want: uncancelled},
	{name: "cancel removed", before: ref(`, cancel: true`), after: ref(``), want: uncancelled},
	{name: "cancel set", before: ref(``), after: ref(`, cancel: true`)},
	{name: "cancel turned from false to true", before: ref(`, cancel: false`), after: ref(`, cancel: true`)},
	{name: "cancel removed that was false", before: ref(`, cancel: false`), after: ref(``)},
	{name: "cancel of an inline run with all there is", before: inline(`{name: A}`, `, params: [{name: A, value: x}], timeouts: {run: 1h}`), after: inline(`{name: A}`, `, params: [{name: A, value: x}], timeouts: {run: 1h}, cancel: true`)},

	{name: "ttl added", before: ref(``), after: ref(`, ttlAfterFinished: 1h`)},
	{name: "ttl changed", before: ref(`, ttlAfterFinished: 1h`), after: ref(`, ttlAfterFinished: 0s`)},
	{name: "ttl removed", before: ref(`, ttlAfterFinished: 1h`), after: ref(``)},
	{name: "ttl changed of a cancelled run", before: ref(`, ttlAfterFinished: 1h, cancel: true`), after: ref(`, ttlAfterFinished: 2h, cancel: true`)},
	{name: "ttl changed to a negative one", before: ref(`, ttlAfterFinished: 1h`), after: ref(`, ttlAfterFinished: -1h`), want: `spec.ttlAfterFinished: Invalid value: "-1h": ` + badDuration},
}

func TestARunIsImmutableButForCancelAndTTL(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := object(t, "TestRun", c.before)
			if err := apiserver.Client.Create(t.Context(), run); err != nil {
				t.Fatal(err)
			}
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}

			// The twin: the same run with nothing changed but a label.
			sameSentences(t, update(t, run, run.Object["spec"]))
			sameSentences(t, update(t, run, object(t, "TestRun", c.after).Object["spec"]), want...)
		})
	}
}

// Flux takes back what kubectl has set. Once the run has finished that changes nothing, and may not stand in the way of all the rest.
func TestCancelCanBeTakenBackOnceTheRunHasFinished(t *testing.T) {
	run := object(t, "TestRun", ref(`, cancel: true`))
	if err := apiserver.Client.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	without := object(t, "TestRun", ref(``)).Object["spec"]
	sameSentences(t, update(t, run, without), uncancelled)
	run.Object["status"] = map[string]any{"phase": "Finished", "verdict": "Cancelled"}
	if err := apiserver.Client.Status().Update(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	sameSentences(t, update(t, run, without))
}

// A Go client reads a run, changes a field and writes all of it back, and Go writes 60m as 1h0m0s: that is no change.
func TestAGoProgramCanUpdateARunThatWasWrittenInYAML(t *testing.T) {
	stored := object(t, "TestRun", `{testRef: {name: unit}, timeouts: {run: 60m}}`)
	if err := apiserver.Client.Create(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	run := &v1alpha1.TestRun{}
	if err := apiserver.Client.Get(t.Context(), client.ObjectKeyFromObject(stored), run); err != nil {
		t.Fatal(err)
	}
	run.Spec.Cancel = ptr.To(true)
	sameSentences(t, complaints(t, apiserver.Client.Update(t.Context(), run)))
}

// A Test is a definition: whoever wants another one edits it.
func TestATestCanBeChanged(t *testing.T) {
	test := object(t, "Test", `{POD}`)
	if err := apiserver.Client.Create(t.Context(), test); err != nil {
		t.Fatal(err)
	}
	changed := object(t, "Test", `{description: a, params: [{name: A}], template: {spec: {containers: [{name: other}]}}, container: other, timeouts: {run: 1m}}`)
	sameSentences(t, update(t, test, changed.Object["spec"]))
}

// update returns the complaints about a stored object with another spec. Nothing is stored.
func update(t *testing.T, stored *unstructured.Unstructured, spec any) []string {
	t.Helper()
	changed := stored.DeepCopy()
	changed.SetLabels(map[string]string{"changed": "true"})
	changed.Object["spec"] = spec
	return complaints(t, apiserver.Client.Update(t.Context(), changed, client.DryRunAll))
}
