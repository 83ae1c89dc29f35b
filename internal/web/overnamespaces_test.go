package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

func TestListsOverNamespacesAreForThoseWhoMaySeeAllOfThem(t *testing.T) {
	w := newWorld(t)
	names := namespaces(t, 3)
	slices.Sort(names)
	for _, namespace := range names[:2] {
		w.flips(namespace)
	}
	all := tokenOf(t, names[2], "all")
	allowEverywhere(t, names[2], "all", rule("get", "testruns"))
	one := given(t, names[0], names[2], "one", rule("get", "testruns"))

	for path, namespacesOf := range map[string]func(token, query string) []string{
		"/api/v1/series": func(token, query string) (found []string) {
			for _, item := range read[SeriesList](w, token, "/api/v1/series"+query).Items {
				found = append(found, item.Namespace)
			}
			return found
		},
		"/api/v1/flaky": func(token, query string) (found []string) {
			for _, item := range read[FlakyList](w, token, "/api/v1/flaky"+query).Items {
				found = append(found, item.Namespace)
				if item.Recent <= 0 || item.Recent > float64(item.Flips) {
					t.Errorf("of %d changes, %g count now", item.Flips, item.Recent)
				}
			}
			slices.Sort(found)
			return found
		},
	} {
		if got := namespacesOf(all, ""); !slices.Equal(got, names[:2]) {
			t.Errorf("%s of all namespaces has %v", path, got)
		}
		if got := namespacesOf(all, "?namespace="+names[1]+","+names[0]); !slices.Equal(got, names[:2]) {
			t.Errorf("%s of two namespaces has %v", path, got)
		}
		if got := namespacesOf(one, "?namespace="+names[0]); !slices.Equal(got, names[:1]) {
			t.Errorf("%s of one namespace has %v", path, got)
		}
		if got := w.get(one, path); got.StatusCode != http.StatusForbidden || !strings.Contains(string(got.body), "Name yours: "+path) {
			t.Errorf("%s: who may see one namespace and asks for all is answered %d %s", path, got.StatusCode, got.body)
		}
		for _, namespace := range []string{names[1], names[0] + "," + names[1], "never-was", "No-Name", "..", "%00"} {
			if got := w.get(one, path+"?namespace="+namespace); got.StatusCode != http.StatusNotFound {
				t.Errorf("%s of %q is answered with %d %s", path, namespace, got.StatusCode, got.body)
			}
		}
	}
}

// flips keeps two runs in which a case ended differently.
func (w *world) flips(namespace string) {
	w.Helper()
	for i, outcome := range []results.Outcome{results.Passed, results.Failed} {
		state := w.run(namespace, fmt.Sprintf("run-%d", i))
		state.Run.Created = state.Run.Created.Add(time.Duration(i) * time.Minute)
		w.keep(state)
		w.keepCases(state.Run, push.Case{Number: 1, Name: "adds", Outcome: outcome})
	}
}
