package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/postgres"
)

// asked is how each operation of the document is asked for, and what right it needs in the run's namespace.
var asked = map[string]struct{ query, right string }{
	"list-runs":        {},
	"get-run":          {},
	"get-object":       {},
	"list-cases":       {},
	"get-case-history": {query: "suite=till.t&name=adds"},
	"get-case-trend":   {query: "suite=till.t&name=adds"},
	"list-series":      {},
	"get-series":       {},
	"get-trend":        {},
	"list-flaky-cases": {},
	"compare-run":      {query: "with={uid}"},
	"get-output":       {right: toOutput},
	"list-lines":       {right: toOutput},
	"search-output":    {query: "q=ok", right: toOutput},
	"list-artifacts":   {right: toArtifacts},
	"list-audit":       {right: toAudit},
	"get-artifact":     {query: "path=report/index.html", right: toArtifacts},
}

// elsewhere are the operations that have tables of their own: they are of no namespace, or ask with the caller's token.
var elsewhere = []string{"list-all-runs", "list-all-series", "list-all-flaky-cases", "create-run", "get-queue-depth", "follow-runs", "follow-all-runs", "get-me", "list-namespaces"}

// target is what a path is filled with.
type target struct{ namespace, name, uid, series string }

func targetOf(run archive.Run) target { return target{run.Namespace, run.Name, run.UID, run.Series} }

func (t target) fill(path string) string {
	return strings.NewReplacer("{namespace}", url.PathEscape(t.namespace), "{name}", url.PathEscape(t.name), "{uid}", url.PathEscape(t.uid),
		"{series}", url.PathEscape(t.series)).Replace(path)
}

// endpoint is an operation of the document.
type endpoint struct{ id, path, query, right string }

func (e endpoint) of(t target) string { return t.fill(e.path + "?" + e.query) }

// endpoints are those of the document that are about a namespace.
func endpoints(t *testing.T) []endpoint {
	t.Helper()
	var all []endpoint
	for pattern, operation := range newChecker().operations {
		id := strings.TrimSuffix(operation.OperationID, "-by-uid")
		how, ok := asked[id]
		switch {
		case slices.Contains(elsewhere, id):
		case !ok:
			t.Fatalf("the document has the operation %s, which this table does not try", operation.OperationID)
		default:
			all = append(all, endpoint{operation.OperationID, strings.TrimPrefix(pattern, "GET "), how.query, how.right})
		}
	}
	return all
}

func TestWhoSeesWhat(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { tryWhoSeesWhat(newWorld(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		server, err := postgres.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		database, err := server.NewDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tryWhoSeesWhat(newWorldOn(t, database))
	})
}

func tryWhoSeesWhat(w *world) {
	t := w.T
	names := namespaces(t, 3)
	ours, theirs, users := names[0], names[1], names[2]
	here, there := w.full(ours, "smoke"), w.full(theirs, "secret")
	admin := tokenOf(t, users, "admin")
	allowEverywhere(t, users, "admin", rule("*", "*"))

	for _, user := range []struct {
		name, token string
		// ours and theirs say what of a namespace the user may get; nil is nothing.
		ours, theirs []string
	}{
		{"who may do everything everywhere", admin, []string{toRun, toOutput, toArtifacts, toAudit}, []string{toRun, toOutput, toArtifacts, toAudit}},
		{"who may see all of ours", given(t, ours, users, "all", rule("get", "testruns", "testruns/log", "testruns/artifacts")), []string{toRun, toOutput, toArtifacts}, nil},
		{"who may see runs of ours", given(t, ours, users, "runs", rule("get", "testruns")), []string{toRun}, nil},
		{"who may see runs and output of ours", given(t, ours, users, "output", rule("get", "testruns", "testruns/log")), []string{toRun, toOutput}, nil},
		{"who may see runs and artifacts of ours", given(t, ours, users, "artifacts", rule("get", "testruns", "testruns/artifacts")), []string{toRun, toArtifacts}, nil},
		{"who may see runs and the audit of ours", given(t, ours, users, "audit", rule("get", "testruns", "testruns/audit")), []string{toRun, toAudit}, nil},
		{"who may see output of ours, but not runs", given(t, ours, users, "only-output", rule("get", "testruns/log", "testruns/artifacts")), nil, nil},
		{"who may list runs of ours, but not get them", given(t, ours, users, "lists", rule("list", "testruns")), nil, nil},
		{"who may write runs of ours, but not get them", given(t, ours, users, "writes", rule("create", "testruns")), nil, nil},
		{"who may get Tests of ours", given(t, ours, users, "tests", rule("get", "tests", "testqueues")), nil, nil},
		{"who may see all of theirs", given(t, theirs, users, "foreign", rule("get", "testruns", "testruns/log", "testruns/artifacts")), nil, []string{toRun, toOutput, toArtifacts}},
		{"who may see nothing", tokenOf(t, users, "nobody"), nil, nil},
	} {
		for _, e := range endpoints(t) {
			for _, place := range []struct {
				name string
				run  archive.Run
				may  []string
			}{{"ours", here, user.ours}, {"theirs", there, user.theirs}} {
				t.Run(fmt.Sprintf("%s asks for %s of %s", user.name, e.id, place.name), func(t *testing.T) {
					w := *w
					w.T = t
					w.expectAnswer(user.token, e, place.run, wantedStatus(place.may, e.right))
				})
			}
		}
	}
}

// given returns the token of a new ServiceAccount of users that has the right in the namespace.
func given(t *testing.T, namespace, users, name string, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	token := tokenOf(t, users, name)
	allow(t, namespace, users, name, rules...)
	return token
}

func wantedStatus(may []string, right string) int {
	switch {
	case may == nil:
		return http.StatusNotFound
	case !slices.Contains(may, right):
		return http.StatusForbidden
	default:
		return http.StatusOK
	}
}

// expectAnswer asks, and sees that one who may not know of the run is answered as if there were none.
func (w *world) expectAnswer(token string, e endpoint, run archive.Run, status int) {
	w.Helper()
	got := w.get(token, e.of(targetOf(run)))
	if got.StatusCode != status {
		w.Fatalf("the answer is %d %s, not %d", got.StatusCode, got.body, status)
	}
	if status != http.StatusNotFound {
		return
	}
	for what, unknown := range map[string]target{
		"a run that never was":       {run.Namespace, "never", "00000000-0000-4000-8000-000000000000", "never"},
		"a namespace that never was": {"never-was", run.Name, "00000000-0000-4000-8000-000000000000", run.Series},
	} {
		other := w.get(token, e.of(unknown))
		if other.StatusCode != got.StatusCode || !bytes.Equal(other.body, got.body) || !sameHeaders(other.Header, got.Header) {
			w.Errorf("the answer about what is forbidden is\n%s%v, and about %s\n%s%v", got.body, got.Header, what, other.body, other.Header)
		}
	}
	if text := string(got.body); strings.Contains(text, run.Name) || strings.Contains(text, run.UID) || strings.Contains(text, run.Namespace) {
		w.Errorf("the answer tells of the run: %s", got.body)
	}
}

func sameHeaders(a, b http.Header) bool {
	a, b = a.Clone(), b.Clone()
	a.Del("Date")
	b.Del("Date")
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func TestRunsOfAllNamespacesAreForThoseWhoMaySeeAllOfThem(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 3)
	w.full(names[0], "smoke")
	w.full(names[1], "secret")
	all := tokenOf(t, names[2], "all")
	allowEverywhere(t, names[2], "all", rule("get", "testruns"))
	one := given(t, names[0], names[2], "one", rule("get", "testruns"))

	if got := read[RunList](w, all, "/api/v1/runs"); len(got.Items) != 2 {
		t.Errorf("who may see all runs sees %d of 2", len(got.Items))
	}
	if got := read[RunList](w, one, "/api/v1/runs?namespace="+names[0]); len(got.Items) != 1 || got.Items[0].Name != "smoke" {
		t.Errorf("who may see the runs of a namespace sees %+v", got)
	}
	if got := read[Depth](w, one, "/api/v1/queues/default/depth?namespace="+names[0]); len(got.Steps) != 288 || !got.Whole {
		t.Errorf("the depth is %+v", got)
	}
	if got := w.get(one, "/api/v1/queues/default/depth"); got.StatusCode != http.StatusForbidden {
		t.Errorf("the depth of all is answered with %d", got.StatusCode)
	}
	if got := w.get(one, "/api/v1/queues/default/depth?namespace="+names[1]); got.StatusCode != http.StatusNotFound {
		t.Errorf("the depth elsewhere is answered with %d", got.StatusCode)
	}
	if got := w.get(one, "/api/v1/runs"); got.StatusCode != http.StatusForbidden || !strings.Contains(string(got.body), "Name yours") {
		t.Errorf("who may see the runs of one namespace and asks for all is answered %d %s", got.StatusCode, got.body)
	}
	for _, namespace := range []string{names[1], names[0] + "," + names[1], "never-was", "No-Name", "..", "%00"} {
		if got := w.get(one, "/api/v1/runs?namespace="+namespace); got.StatusCode != http.StatusNotFound {
			t.Errorf("for the runs of %q the answer is %d %s", namespace, got.StatusCode, got.body)
		}
	}
}

func TestEachSeesTheirOwnNamespaces(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 4)
	slices.Sort(names)
	for _, name := range names[:3] {
		w.full(name, "smoke")
	}
	all := tokenOf(t, names[3], "all")
	allowEverywhere(t, names[3], "all", rule("get", "testruns"))
	two := given(t, names[0], names[3], "two", rule("get", "testruns"))
	allow(t, names[2], names[3], "two", rule("get", "testruns"))
	none := given(t, names[1], names[3], "none", rule("list", "testruns"))

	for _, user := range []struct {
		name, token string
		want        NamespaceList
	}{
		{"who may see all", all, NamespaceList{names[:3], true}},
		{"who may see two", two, NamespaceList{[]string{names[0], names[2]}, false}},
		{"who may see none", none, NamespaceList{[]string{}, false}},
	} {
		if got := read[NamespaceList](w, user.token, "/api/v1/namespaces"); !reflect.DeepEqual(got, user.want) {
			t.Errorf("%s sees %v", user.name, got)
		}
	}
	if got := read[RunList](w, two, "/api/v1/runs?namespace="+names[0]+","+names[2]); len(got.Items) != 2 {
		t.Errorf("of two namespaces, %d runs are listed", len(got.Items))
	}
	if got := read[Me](w, two, "/api/v1/me"); got.Username != "system:serviceaccount:"+names[3]+":two" {
		t.Errorf("the user is %q", got.Username)
	}
}

func TestWhoIsNotKnownLearnsHowToBe(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	run := w.full(namespace, "smoke")
	good := viewer(t, namespace)
	for name, header := range map[string]string{
		"no token":                       "",
		"an empty token":                 "Bearer ",
		"no bearer":                      "Basic " + good,
		"a token that is none":           "Bearer abc",
		"a token with a changed end":     "Bearer " + good[:len(good)-4] + "AAAA",
		"a token that is too long":       "Bearer " + strings.Repeat("a", maxTokenLength+1),
		"a pod's token for pushing only": "Bearer " + tokenOf(t, namespace, "pod", "testrun-archive"),
	} {
		for _, path := range []string{"/api/v1/namespaces/" + namespace + "/runs", "/api/v1/runs/" + run.UID, "/api/v1/runs", "/api/v1/never", "/"} {
			got := w.get("", path, "Authorization: "+header)
			if got.StatusCode != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" || !strings.Contains(string(got.body), "kubectl create token") {
				t.Errorf("%s: GET %s answers %d %v %s", name, path, got.StatusCode, got.Header, got.body)
			}
		}
	}
	if got := w.get("", "/api/v1/openapi.json"); got.StatusCode != http.StatusOK {
		t.Errorf("the document is answered with %d", got.StatusCode)
	}
}
