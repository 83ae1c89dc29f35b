package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/apiserver"
)

const newRun = `{"labels": {"team": "shop"}, "spec": {"testRef": {"name": "shop"}}}`

func (w *world) create(token, namespace, key, body string) (response, CreatedRun) {
	w.Helper()
	headers := []string{"Content-Type: application/json"}
	if key != "" {
		headers = append(headers, "Idempotency-Key: "+key)
	}
	got := w.do(http.MethodPost, token, "/api/v1/namespaces/"+namespace+"/runs", body, headers...)
	var run CreatedRun
	if got.StatusCode < 300 {
		if err := json.Unmarshal(got.body, &run); err != nil {
			w.Fatal(err)
		}
	}
	return got, run
}

func runsIn(t *testing.T, namespace string) []v1alpha1.TestRun {
	t.Helper()
	var list v1alpha1.TestRunList
	if err := apiserver.Client.List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// author returns the token of a ServiceAccount that may create runs, and get them.
func author(t *testing.T, namespace, name string) string {
	t.Helper()
	return given(t, namespace, namespace, name, rule("create", "testruns"), rule("get", "testruns"))
}

func TestARunIsCreatedAsWhoAsksForIt(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	got, run := w.create(author(t, namespace, "author"), namespace, "deploy 42", newRun)
	if got.StatusCode != http.StatusCreated || got.Header.Get("Location") != "/api/v1/runs/"+run.UID {
		t.Fatalf("the answer is %d %v %s", got.StatusCode, got.Header, got.body)
	}
	there := runsIn(t, namespace)
	if len(there) != 1 || there[0].Name != run.Name || string(there[0].UID) != run.UID || there[0].Labels["team"] != "shop" || there[0].Spec.TestRef.Name != "shop" {
		t.Errorf("there is %+v", there)
	}
}

func TestARequestThatIsRepeatedCreatesOneRun(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token, other := author(t, namespace, "author"), author(t, namespace, "other")
	var wait sync.WaitGroup
	uids := make([]string, 8)
	for i := range uids {
		wait.Go(func() {
			if got, run := w.create(token, namespace, "deploy 42", newRun); got.StatusCode < 300 {
				uids[i] = run.UID
			}
		})
	}
	wait.Wait()
	for _, uid := range uids {
		if uid == "" || uid != uids[0] {
			t.Errorf("the runs of one key are %q", uids)
		}
	}
	again, run := w.create(token, namespace, "deploy 42", `{"spec":{"testRef":{"name":"shop"}},"labels":{"team":"shop"}}`)
	if again.StatusCode != http.StatusOK || run.UID != uids[0] {
		t.Errorf("the same request in another order is answered with %d %s", again.StatusCode, again.body)
	}
	if got, _ := w.create(token, namespace, "deploy 42", `{"spec": {"testRef": {"name": "other"}}}`); got.StatusCode != http.StatusConflict {
		t.Errorf("another request with the same key is answered with %d %s", got.StatusCode, got.body)
	}
	if got, run := w.create(token, namespace, "deploy 43", newRun); got.StatusCode != http.StatusCreated || run.UID == uids[0] {
		t.Errorf("the same request with another key is answered with %d %s", got.StatusCode, got.body)
	}
	if got, run := w.create(other, namespace, "deploy 42", newRun); got.StatusCode != http.StatusCreated || run.UID == uids[0] {
		t.Errorf("the same key of somebody else is answered with %d %s", got.StatusCode, got.body)
	}
	if there := runsIn(t, namespace); len(there) != 3 {
		t.Errorf("there are %d runs", len(there))
	}
}

func TestARunThatIsGoneIsNotCreatedAgain(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := author(t, namespace, "author")
	_, run := w.create(token, namespace, "deploy 42", newRun)
	there := runsIn(t, namespace)[0]
	object, err := json.Marshal(there)
	if err != nil {
		t.Fatal(err)
	}
	w.keep(archive.RunState{Object: pack(string(object)), Run: archive.Run{
		UID: run.UID, Namespace: namespace, Name: run.Name, Phase: "Pending", Created: there.CreationTimestamp.Time, ResourceVersion: there.ResourceVersion,
	}})
	if err := apiserver.Client.Delete(t.Context(), &there); err != nil {
		t.Fatal(err)
	}
	if got, again := w.create(token, namespace, "deploy 42", newRun); got.StatusCode != http.StatusOK || again.UID != run.UID {
		t.Errorf("after the run was deleted, its request is answered with %d %s", got.StatusCode, got.body)
	}
	if got, _ := w.create(token, namespace, "deploy 42", `{"spec": {}}`); got.StatusCode != http.StatusConflict {
		t.Errorf("after the run was deleted, another request with its key is answered with %d %s", got.StatusCode, got.body)
	}
	if there := runsIn(t, namespace); len(there) != 0 {
		t.Errorf("there are %d runs", len(there))
	}
}

func TestWhatTheAPIServerRefusesIsAnsweredInItsWords(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := author(t, namespace, "author")
	sees := viewer(t, namespace)
	for _, c := range []struct {
		name, token, namespace, key, body string
		status                            int
		says                              string
	}{
		{"who may see runs only", sees, namespace, "k", newRun, http.StatusForbidden, `cannot create resource \"testruns\"`},
		{"in another namespace", token, "default", "k", newRun, http.StatusForbidden, `cannot create resource \"testruns\"`},
		{"in a namespace that never was", token, "never-was", "k", newRun, http.StatusForbidden, `cannot create resource \"testruns\"`},
		{"in what is no namespace", token, "..%2fdefault", "k", newRun, http.StatusNotFound, "nothing of that name"},
		{"an empty spec", token, namespace, "k", `{"spec": {}}`, http.StatusUnprocessableEntity, "set exactly one of testRef"},
		{"an unknown field", token, namespace, "k", `{"spec": {"testRef": {"name": "shop"}, "never": 1}}`, http.StatusBadRequest, `unknown field \"spec.never\"`},
		{"a label that is none", token, namespace, "k", `{"labels": {"a b": ""}, "spec": {"testRef": {"name": "shop"}}}`, http.StatusUnprocessableEntity, "metadata.labels"},
		{"no key", token, namespace, "", newRun, http.StatusUnprocessableEntity, "Idempotency-Key"},
		{"a key that is too long", token, namespace, strings.Repeat("k", 256), newRun, http.StatusUnprocessableEntity, "Idempotency-Key"},
		{"no body", token, namespace, "k", "", http.StatusBadRequest, "body"},
		{"no JSON", token, namespace, "k", "{", http.StatusBadRequest, ""},
		{"no spec", token, namespace, "k", "{}", http.StatusUnprocessableEntity, "spec"},
		{"a field of ours that is none", token, namespace, "k", `{"spec": {}, "name": "x"}`, http.StatusUnprocessableEntity, "name"},
		{"a body that is too large", token, namespace, "k", `{"spec": {"x": "` + strings.Repeat("x", maxNewRun) + `"}}`, http.StatusRequestEntityTooLarge, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.T = t
			got, _ := w.create(c.token, c.namespace, c.key, c.body)
			if got.StatusCode != c.status || !strings.Contains(string(got.body), c.says) {
				t.Errorf("the answer is %d %s, not %d with %q", got.StatusCode, got.body, c.status, c.says)
			}
		})
	}
	if there := runsIn(t, namespace); len(there) != 0 {
		t.Errorf("there are %d runs", len(there))
	}
}

func TestNobodyMakesTheNameOfSomebodyElsesRun(t *testing.T) {
	names := map[string]string{}
	for _, c := range [][3]string{{"a", "b", "c"}, {"a b", "", "c"}, {"a", "b c", ""}, {`a" "b`, "c", ""}, {"", "a", "b c"}, {"a b", "c", "d"}, {"a", "b c", "d"}} {
		name := nameFor(c[0], c[1], c[2])
		if before, ok := names[name]; ok {
			t.Errorf("%q and %s make the same name", c, before)
		}
		if !isName(name) || len(name) > 58 {
			t.Errorf("a run cannot have the name %s", name)
		}
		names[name] = fmt.Sprint(c)
	}
}
