package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// walk reads a list page by page, and calls between two of them.
func walk[L any](w *world, token, path string, between func(), items func(L) ([]string, string)) []string {
	w.Helper()
	var all []string
	for after := ""; len(all) < 1000; between() {
		page, next := items(read[L](w, token, path+"&after="+url.QueryEscape(after)))
		all = append(all, page...)
		if next == "" {
			return all
		}
		if after = next; len(page) == 0 {
			w.Fatalf("a page of %s is empty, and another is to follow", path)
		}
	}
	w.Fatalf("%s does not end: %v", path, all[:50])
	return nil
}

func runNames(list RunList) (names []string, next string) {
	for _, run := range list.Items {
		names = append(names, run.Name)
	}
	return names, list.Next
}

func TestPagesOfRunsStayAsTheyAreWhileRunsAreAdded(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	var want []string
	for i := range 23 {
		state := w.run(namespace, fmt.Sprintf("run-%02d", i))
		state.Run.Created = begin.Add(time.Duration(i/4) * time.Second) // four at a time
		w.keep(state)
		want = append(want, state.Run.Name)
	}
	slices.Sort(want)
	added := 0
	between := func() {
		for range 3 {
			state := w.run(namespace, fmt.Sprintf("late-%02d", added))
			state.Run.Created = begin.Add(time.Hour + time.Duration(added)*time.Second)
			w.keep(state)
			added++
		}
	}
	for _, limit := range []int{1, 4, 7, 23, 500} {
		got := walk(w, token, fmt.Sprintf("/api/v1/namespaces/%s/runs?series=shop&limit=%d", namespace, limit), between, runNames)
		var old []string
		for _, name := range got {
			if name[:4] == "run-" {
				old = append(old, name)
			}
		}
		slices.Sort(old)
		if !slices.Equal(old, want) {
			t.Errorf("with pages of %d, the runs that were there are\n%v, not\n%v", limit, old, want)
		}
	}
	if added == 0 {
		t.Error("no run was added meanwhile")
	}
}

func TestRunsAreSelected(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	passed, pending, other := w.run(namespace, "passed"), w.run(namespace, "pending"), w.run(namespace, "other")
	passed.Run.Verdict, passed.Run.Labels = "Passed", map[string]string{"team": "shop"}
	pending.Run.Phase, pending.Run.Verdict, pending.Run.Finished, pending.Run.Labels = "Pending", "", time.Time{}, nil
	other.Run.Test, other.Run.Series = "", "nightly"
	w.keep(passed, pending, other)

	for query, want := range map[string][]string{
		"":                               {"other", "passed", "pending"},
		"series=shop":                    {"passed", "pending"},
		"series=nightly":                 {"other"},
		"series=never":                   nil,
		"series=%00":                     nil,
		"series=%ff":                     nil,
		"verdict=Passed":                 {"passed"},
		"phase=Pending":                  {"pending"},
		"phase=Finished&verdict=Failed":  {"other"},
		"label=team%3Dshop":              {"passed"},
		"label=team%3Dtill":              {"other"},
		"label=team%3D":                  nil,
		"label=team%3Dshop&series=never": nil,
	} {
		got, _ := runNames(read[RunList](w, token, "/api/v1/namespaces/"+namespace+"/runs?"+query))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q selects %v, not %v", query, got, want)
		}
	}
	for _, query := range []string{
		"limit=0", "limit=501", "limit=-1", "limit=x", "verdict=passed", "phase=Gone", "label=team", "label=%3Dx", "after=x", "after=e30", "after=%00",
		"never=1", "namespace=other",
	} {
		if query == "after=e30" { // an empty place is the first page
			continue
		}
		if got := w.get(token, "/api/v1/namespaces/"+namespace+"/runs?"+query); got.StatusCode != http.StatusBadRequest && got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%q is answered with %d %s", query, got.StatusCode, got.body)
		}
	}
}

func TestAListOfRunsShowsWhyTheyAreNotDone(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	waiting, running, done := w.run(namespace, "waiting"), w.run(namespace, "running"), w.run(namespace, "done")
	for state, phase := range map[*archive.RunState]string{&waiting: "Pending", &running: "InProgress"} {
		state.Run.Phase, state.Run.Verdict, state.Run.Finished = phase, "", time.Time{}
	}
	waiting.Run.Message, waiting.Attempts = "Waits in the queue default", nil
	w.keep(waiting, running, done)
	for _, state := range []archive.RunState{running, done} {
		progress := archive.AttemptProgress{Owner: owner(state.Run), Progress: push.Progress{Done: 3, Failed: 1, Total: 9}}
		if err := w.store.SetProgress(t.Context(), []archive.AttemptProgress{progress}); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range read[RunList](w, token, "/api/v1/namespaces/"+namespace+"/runs").Items {
		switch run.Name {
		case "waiting":
			if run.Message != waiting.Run.Message || run.Progress != nil {
				t.Errorf("the run that waits is %+v", run)
			}
		case "running":
			if run.Progress == nil || *run.Progress != (Progress{Done: 3, Failed: 1, Total: 9}) {
				t.Errorf("the run in progress is %+v", run)
			}
		default:
			if run.Message != "1 case failed" || run.Progress != nil {
				t.Errorf("the run that has finished is %+v", run)
			}
		}
	}
}

func TestCasesOfARun(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	state := w.run(namespace, "smoke")
	w.keep(state)
	var cases []push.Case
	for i := range int64(25) {
		outcome := results.Passed
		if i%10 == 3 {
			outcome = results.Failed
		}
		cases = append(cases, push.Case{Number: i + 1, Suite: "till.t", Name: fmt.Sprintf("case %d", i+1), Outcome: outcome, Microseconds: 1500, Message: "<b>&\"'"})
	}
	w.keepCases(state.Run, cases...)

	path := "/api/v1/runs/" + state.Run.UID + "/cases"
	numbers := func(list CaseList) (all []string, next string) {
		if list.Kept.Completeness != Complete || list.Attempt != 1 {
			t.Errorf("of the attempt %d, %+v is kept", list.Attempt, list.Kept)
		}
		for _, c := range list.Items {
			if c.Seconds != 0.0015 || c.Message != "<b>&\"'" || c.Suite != "till.t" {
				t.Errorf("a case is %+v", c)
			}
			all = append(all, fmt.Sprint(c.Number))
		}
		return all, list.Next
	}
	if got := walk(w, token, path+"?limit=7", func() {}, numbers); len(got) != 25 || got[24] != "25" {
		t.Errorf("the cases are %v", got)
	}
	if got := walk(w, token, path+"?outcome=Failed&limit=2", func() {}, numbers); !slices.Equal(got, []string{"4", "14", "24"}) {
		t.Errorf("the failed cases are %v", got)
	}
	if got := walk(w, token, path+"?outcome=Failed,Passed&limit=20", func() {}, numbers); len(got) != 25 {
		t.Errorf("the failed and the passed cases are %v", got)
	}
	for query, status := range map[string]int{"attempt=2": 404, "attempt=0": 422, "outcome=Lost": 422, "outcome=Failed,Failed,Failed,Failed,Failed": 422} {
		if got := w.get(token, path+"?"+query); got.StatusCode != status {
			t.Errorf("%q is answered with %d %s", query, got.StatusCode, got.body)
		}
	}
}

func TestTheHistoryOfACase(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	const suite, name = "a/b?c.t", "adds & <subtracts> %2F ü"
	for i := range 5 {
		state := w.run(namespace, fmt.Sprintf("run-%d", i))
		state.Run.Created = begin.Add(time.Duration(i) * time.Minute)
		w.keep(state)
		outcome := results.Passed
		if i%2 == 1 {
			outcome = results.Failed
		}
		w.keepCases(state.Run, push.Case{Number: 1, Suite: suite, Name: name, Outcome: outcome})
	}
	in := "/api/v1/namespaces/" + namespace + "/series/shop"
	query := "?" + url.Values{"suite": {suite}, "name": {name}}.Encode()
	got := walk(w, token, in+"/case"+query+"&limit=2", func() {}, func(list CaseHistory) (all []string, next string) {
		for _, o := range list.Items {
			all = append(all, o.Run+" "+o.Outcome)
		}
		return all, list.Next
	})
	if want := []string{"run-4 Passed", "run-3 Failed", "run-2 Passed", "run-1 Failed", "run-0 Passed"}; !slices.Equal(got, want) {
		t.Errorf("the history is %v, not %v", got, want)
	}
	if got := w.get(token, in+"/case?name=never"); got.StatusCode != http.StatusNotFound {
		t.Errorf("the history of a case that never was is answered with %d %s", got.StatusCode, got.body)
	}
	flaky := read[FlakyList](w, token, "/api/v1/namespaces/"+namespace+"/flaky?series=shop")
	if len(flaky.Items) != 1 || flaky.Items[0].Name != name || flaky.Items[0].Flips != 4 {
		t.Errorf("flaky are %+v", flaky)
	}
	if other := read[FlakyList](w, token, "/api/v1/namespaces/"+namespace+"/flaky?series=never"); len(other.Items) != 0 {
		t.Errorf("flaky in a series that never was are %+v", other)
	}
	series := read[SeriesList](w, token, "/api/v1/namespaces/"+namespace+"/series")
	if len(series.Items) != 1 || series.Items[0].Series != "shop" || series.Items[0].Last.Run != "run-4" {
		t.Errorf("the series are %+v", series)
	}
	if one := read[Series](w, token, in); one != series.Items[0] {
		t.Errorf("the series is %+v alone, and %+v in the list", one, series.Items[0])
	}
}

func TestCasesSayHowTheyStandToTheRunBefore(t *testing.T) {
	w := newWorld(t)
	namespace := apiserver.Namespace(t)
	token := viewer(t, namespace)
	var runs []string
	for n, outcomes := range []map[string]results.Outcome{
		{"breaks": results.Passed, "broken": results.Failed, "mended": results.Errored},
		{"breaks": results.Failed, "broken": results.Failed, "mended": results.Passed},
	} {
		state := w.run(namespace, fmt.Sprint("run-", n))
		state.Run.Created = begin.Add(time.Duration(n) * time.Hour)
		w.keep(state)
		var cases []push.Case
		for i, name := range []string{"breaks", "broken", "mended"} {
			cases = append(cases, push.Case{Number: int64(i + 1), Name: name, Outcome: outcomes[name]})
		}
		w.keepCases(state.Run, cases...)
		runs = append(runs, state.Run.UID)
	}
	got := read[CaseList](w, token, "/api/v1/runs/"+runs[1]+"/cases")
	want := RunRef{runs[0], "run-0", begin}
	if len(got.Items) != 3 || got.Items[0].Mark != "new" || got.Items[1].Mark != "failing" || *got.Items[1].FailingSince != want || got.Items[2].Mark != "fixed" {
		t.Errorf("the cases are %+v", got.Items)
	}
	for _, c := range read[CaseList](w, token, "/api/v1/runs/"+runs[0]+"/cases").Items {
		if c.Mark != "" || c.FailingSince != nil {
			t.Errorf("in the older run a case is %+v", c)
		}
	}
}
