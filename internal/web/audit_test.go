package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestTheAuditSaysWhoCreatedWhat(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	anna, bob, stranger := author(t, namespace, "anna"), author(t, namespace, "bob"), tokenOf(t, namespace, "stranger")
	auditor := given(t, namespace, namespace, "auditor", rule("get", "testruns", "testruns/audit"))
	path := "/api/v1/namespaces/" + namespace + "/audit"

	_, first := w.create(anna, namespace, "one", newRun)
	w.create(anna, namespace, "one", newRun) // it comes again
	w.create(anna, namespace, "one", `{"spec": {"testRef": {"name": "other"}}}`)
	w.create(bob, namespace, "two", `{"spec": {"never": 1}}`)
	w.create(stranger, namespace, "three", newRun)
	_, last := w.create(bob, namespace, "four", newRun)

	got := read[AuditList](w, auditor, path).Items
	for i, want := range []struct{ user, run, uid, result string }{
		{"bob", last.Name, last.UID, "created"}, {"bob", "", "", "refused: "}, {"anna", "", "", "refused: the Idempotency-Key"}, {"anna", first.Name, first.UID, "created"},
	} {
		if len(got) != 4 {
			t.Fatalf("the audit is %+v", got)
		}
		e := got[i]
		if !strings.HasSuffix(e.User, ":"+want.user) || e.Run != want.run || e.UID != want.uid || !strings.HasPrefix(e.Result, want.result) || e.Action != "create" {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
	pages := walk(w, auditor, path+"?limit=3", func() {}, func(l AuditList) (names []string, next string) {
		for _, e := range l.Items {
			names = append(names, e.Result)
		}
		return names, l.Next
	})
	if len(pages) != 4 {
		t.Errorf("the pages have %v", pages)
	}
	if answer := w.get(anna, path); answer.StatusCode != http.StatusForbidden || !strings.Contains(string(answer.body), "testruns/audit") {
		t.Errorf("who may see runs only is answered %d %s", answer.StatusCode, answer.body)
	}
}
